"""TeacherImporter: a teacher from anywhere, for backends whose importer knows buckets alone."""
