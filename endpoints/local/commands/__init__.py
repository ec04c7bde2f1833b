"""What `--local` does, one module a noun, under the names of the studio's verbs."""
