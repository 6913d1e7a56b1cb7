# The gatekeeper's commands. Kafka is another image's business, so no jar and no Java is in here.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Apart from the code, so that a change of ours does not install all of this again.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN pip install --require-hashes -r requirements/build.txt -r requirements/runtime.txt

COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas schemas
COPY gatekeeper gatekeeper
COPY streams streams
RUN pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 10001 gatekeeper

USER gatekeeper
WORKDIR /home/gatekeeper
# A new volume takes owner and mode of the folder that it is mounted on.
RUN mkdir -m 700 keys log witness
ENTRYPOINT ["gatekeeper"]
