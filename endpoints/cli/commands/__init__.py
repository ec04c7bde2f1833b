"""The verbs, one module a noun. Each takes its flags, talks to the studio and returns what is to be printed."""
