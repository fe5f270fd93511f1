# d2ltl on a processor, with JupyterLab and the chapters. docs/howto/install.md says how to build and use it.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /source
COPY . .
RUN python3 -m venv /opt/d2ltl \
    && /opt/d2ltl/bin/pip install --no-cache-dir '.[cpu,chapters,cluster]'

FROM ${BASE}
# MXNet links these two.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 libquadmath0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home learner
COPY --from=build /opt/d2ltl /opt/d2ltl
COPY --chown=learner chapters /home/learner/chapters
ENV PATH=/opt/d2ltl/bin:$PATH
USER learner
WORKDIR /home/learner/work

# What the first run would do: unpack the images, look for fonts. It shows that MXNet can be loaded, too.
RUN d2ltl data get hotdog-mini && python -c "import d2ltl, matplotlib.pyplot; print(d2ltl.devices())"

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "--notebook-dir=/home/learner"]
HEALTHCHECK --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=5)"]
