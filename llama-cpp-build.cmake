# Read when llama-cpp-python is built (see Makefile): llama.cpp's support library for its own programs is not installed
# by that package, and takes nearly half of the time.
set(LLAMA_BUILD_COMMON OFF)

# llama.cpp crashes in its AMX kernels on some processors and virtual machines
# (https://github.com/ggml-org/llama.cpp/issues/20824), so they are left out. Without AMX it uses AVX-512.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-mno-amx-tile COMPILER_KNOWS_AMX)
if(COMPILER_KNOWS_AMX)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-mno-amx-tile;-mno-amx-int8;-mno-amx-bf16>")
endif()
