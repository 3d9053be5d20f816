# Read when llama-cpp-python is built (see Makefile): llama.cpp's support library for its own programs is not installed
# by that package, and takes nearly half of the time.
set(LLAMA_BUILD_COMMON OFF)
