"""Conda packages whose name says something else on the Python package index, or nothing there at all.

Most conda packages have their Python name and need no line here. Programs and system libraries must never be looked
up under their bare name: another project may own it.
"""

from __future__ import annotations

# conda name -> what the package index calls it
RENAMED = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pytables": "tables",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "ray-core": "ray",
    "ray-default": "ray",
    "tensorflow-base": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "tensorflow-eigen": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "msgpack-python": "msgpack",
    "faiss": "faiss-cpu",
    "numpy-base": "numpy",
    "pandas-base": "pandas",
    "psycopg2": "psycopg2-binary",
    "python-graphviz": "graphviz",
    "pyarrow-core": "pyarrow",
    "sentencepiece-python": "sentencepiece",
    "lightgbm-base": "lightgbm",
    "pyqt": "pyqt5",
    "fbprophet": "prophet",
    "shap-base": "shap",
    "importlib_metadata": "importlib-metadata",
    "typing_extensions": "typing-extensions",
    "python-flatbuffers": "flatbuffers",
    "brotli-python": "brotli",
    "gymnasium-base": "gymnasium",
    "pillow-simd": "pillow",
}

# Programs, compilers and system libraries: part of the host or image, not of a Python environment.
_SYSTEM_NAMES = """
_libgcc_mutex _openmp_mutex _py-xgboost-mutex autoconf automake binutils blas blis boost boost-cpp bzip2 c-ares
c-compiler ca-certificates cairo cmake compilers cuda cuda-cudart cuda-nvcc cuda-runtime cuda-toolkit cuda-
version cudatoolkit cudnn curl cxx-compiler expat ffmpeg fftw fontconfig freetype gcc gcc_linux-64 gdal geos
gfortran git git-lfs glib grpc-cpp gsl gxx gxx_linux-64 hdf5 icu intel-openmp jpeg krb5 lame lapack lcms2
ld_impl_linux-64 libblas libcblas libcurl libffi libgcc libgcc-ng libgfortran libgfortran-ng libgfortran5
libgomp liblapack libnsl libopenblas libopencv libpng libprotobuf libsndfile libstdcxx libstdcxx-ng libtiff
libuuid libuv libwebp libxcb libxgboost libxml2 llvm llvm-openmp lz4-c make mkl mkl-devel mkl-include mkl-
service mkl_fft mkl_random nccl ncurses ninja-base nodejs nomkl openblas openh264 openjdk openjpeg openmp
openmpi openssl pandoc perl pkg-config proj pytorch-cuda pytorch-mutex r-base readline ruby rust sox sqlite swig
tesseract tk tzdata unixodbc vc vs2015_runtime xz yaml zlib zstd
"""
SYSTEM = frozenset(_SYSTEM_NAMES.split())
