"""The native backend: loop nests to LLVM IR, machine code, and programs that run it."""
