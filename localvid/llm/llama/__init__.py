"""Any GGUF model, run by llama.cpp in a child process. `child`, `native` and `sampling` run in the child."""
