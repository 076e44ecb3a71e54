"""ML Metadata's own core, out of its wheel, behind its own gRPC service: what Kubeflow runs beside the API server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import ml_metadata as mlmd
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as core
from ml_metadata.proto import metadata_store_pb2


class MetadataService(grpc.GenericRpcHandler):
    """A server on loopback over a SQLite file.

    Attributes:
      port: Where it listens.
    """

    def __init__(self, database: Path) -> None:
        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(database)
        options = metadata_store_pb2.MigrationOptions()
        self._store = core.CreateMetadataStore(connection.SerializeToString(), options.SerializeToString())
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(grace=None)

    def client(self) -> mlmd.MetadataStore:
        return mlmd.MetadataStore(metadata_store_pb2.MetadataStoreClientConfig(host="127.0.0.1", port=self.port))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Finds the core's function of a method; serialized messages go in and out."""
        function = getattr(core, handler_call_details.method.rpartition("/")[2], None)
        if function is None:
            return None

        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                response, message, code = function(self._store, request)
            if code:
                statuses = {status.value[0]: status for status in grpc.StatusCode}
                context.abort(statuses[code], message.decode() if isinstance(message, bytes) else message)
            return bytes(response)

        return grpc.unary_unary_rpc_method_handler(call)
