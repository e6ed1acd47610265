"""What infra/compose runs, as processes of this machine: MinIO, two workers that are each other's twins, two edges."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ["CARGO_TARGET_DIR"])
WORKER, HOST = TARGET / "debug" / "tidegate-ingest-worker", TARGET / "debug" / "tidegate-host"
USER, PASSWORD = "tidegate", "only-for-this-test"
ACCESS = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD, "AWS_REGION": "us-east-1"}
STARTED: list[subprocess.Popen] = []


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url: str, timeout=10) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()


def until(what: str, seconds: float, probe):
    end = time.monotonic() + seconds
    while True:
        try:
            found = probe()
        except (OSError, urllib.error.URLError):
            found = None
        if found:
            return found
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


@contextlib.contextmanager
def folder():
    """A folder for logs and data. What was started ends with it, and where something fails the ends of logs are shown."""
    global WORK
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    with tempfile.TemporaryDirectory() as name:
        WORK = pathlib.Path(name)
        try:
            yield WORK
        except BaseException:
            for log in sorted(WORK.glob("*.log")):
                tail = log.read_text(errors="replace").splitlines()[-8:]
                print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
            raise
        finally:
            for process in reversed(STARTED):
                if process.poll() is None:
                    process.terminate()
            for process in STARTED:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def start(*command, **environment) -> subprocess.Popen:
    log = open(WORK / f"{pathlib.Path(command[0]).name}-{len(STARTED)}.log", "wb")
    process = subprocess.Popen([str(c) for c in command], env=os.environ | environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    STARTED.append(process)
    return process


class Platform:
    """All of it, once it is ready. Addresses are `host:port`."""

    def __init__(self, **of_minio):
        self.store = f"127.0.0.1:{free_port()}"
        of_minio = {"MINIO_BROWSER": "off"} | of_minio | {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD}
        start("minio", "server", "--quiet", "--address", self.store, WORK / "objects", **of_minio)
        until("MinIO", 30, lambda: get(f"http://{self.store}/minio/health/ready") == b"")

        bucket = {"TIDEGATE_STORE_BUCKET": "tidegate", "TIDEGATE_STORE_ENDPOINT": f"http://{self.store}"} | ACCESS
        made = subprocess.run([WORKER, "--create-key", "demo"], env=os.environ | bucket, capture_output=True, text=True, check=True)
        self.rtmp = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.pushes = [f"rtmp://{rtmp}/live/{made.stdout.strip()}" for rtmp in self.rtmp]
        for rtmp, metrics in zip(self.rtmp, self.workers):
            start(WORKER, "--listen", rtmp, TIDEGATE_METRICS_LISTEN=metrics, TIDEGATE_TWIN_ENABLED="true", **bucket)
            until("a worker", 60, lambda: get(f"http://{metrics}/readyz"))

        self.edges = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.hosts = []
        for edge in self.edges:
            of_host = {"TIDEGATE_LISTEN": edge, "TIDEGATE_ENDPOINT": f"http://{self.store}", "TIDEGATE_BUCKET": "tidegate"} | ACCESS
            of_host |= {"TIDEGATE_COMPONENT": str(TARGET / "tidegate" / "functions.wasm"), "TIDEGATE_CACHE": str(TARGET / "tidegate" / "compiled")}
            self.hosts.append(start(HOST, **of_host))
        for edge in self.edges:
            until("an edge", 60, lambda: get(f"http://{edge}/readyz"))


def publish(*addresses: str) -> None:
    """A small source, one encoder for all addresses. It ends with the test, or by itself after five minutes."""
    source = "-nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=330 -map 0 -map 1 -t 300"
    encoder = "-c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -tune zerolatency -c:a aac"
    outputs = ["-f", "flv", addresses[0]] if len(addresses) == 1 else ["-flags", "+global_header", "-f", "tee", "|".join(f"[f=flv]{to}" for to in addresses)]
    start("ffmpeg", *source.split(), *encoder.split(), *outputs)
