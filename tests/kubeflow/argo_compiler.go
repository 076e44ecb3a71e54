// Compiles a PipelineJob with the specification of its platform, as the API server of Kubeflow Pipelines does.
//
// Built inside of a checkout of Kubeflow Pipelines (tried with 2.17.0), as backend/src/v2/cmd/crosskd/main.go:
//
//	go build -o bin/argo-compiler ./backend/src/v2/cmd/crosskd
//	bin/argo-compiler job.json kubernetes.json
package main

import (
	"log"
	"os"

	"github.com/kubeflow/pipelines/api/v2alpha1/go/pipelinespec"
	"github.com/kubeflow/pipelines/backend/src/apiserver/config/proxy"
	"github.com/kubeflow/pipelines/backend/src/v2/compiler/argocompiler"
	"github.com/spf13/viper"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

func read(path string, message proto.Message) {
	content, err := os.ReadFile(path)
	if err == nil {
		err = protojson.Unmarshal(content, message)
	}
	if err != nil {
		log.Fatalf("%s: %v", path, err)
	}
}

func main() {
	proxy.InitializeConfigWithEmptyForTests()
	viper.AutomaticEnv()
	job, platform := &pipelinespec.PipelineJob{}, &pipelinespec.SinglePlatformSpec{}
	read(os.Args[1], job)
	read(os.Args[2], platform)
	workflow, err := argocompiler.Compile(job, platform, &argocompiler.Options{})
	if err != nil {
		log.Fatal(err)
	}
	content, err := yaml.Marshal(workflow)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(content)
}
