"""Runs what infra/compose/compose.yaml describes as processes, with the compose file's own cache configuration, and watches through it.

MinIO, two workers, two edges, nginx in front; a publisher pushes to the first worker. Viewers who ask the same through the cache must
cost the edges one request, and the stream must go on when an edge is killed.
"""
import concurrent.futures
import json
import os
import pathlib
import re
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
USER, PASSWORD = "tidegate", "only-for-this-test"
VIEWERS = 40
STARTED: list[subprocess.Popen] = []


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*command, **environment) -> subprocess.Popen:
    log = open(WORK / f"{pathlib.Path(command[0]).name}-{len(STARTED)}.log", "wb")
    process = subprocess.Popen([str(c) for c in command], env=os.environ | environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    STARTED.append(process)
    return process


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


def requests_of(edges: list[str]) -> int:
    counts = []
    for edge in edges:
        text = get(f"{edge}/metrics").decode()
        counts.append(int(re.search(r"^tidegate_host_requests_total (\d+)$", text, re.M).group(1)))
    return sum(counts)


def main() -> None:
    store = f"127.0.0.1:{free_port()}"
    access = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD, "AWS_REGION": "us-east-1"}
    start("minio", "server", "--quiet", "--address", store, WORK / "objects", MINIO_ROOT_USER=USER, MINIO_ROOT_PASSWORD=PASSWORD, MINIO_BROWSER="off")
    until("MinIO", 30, lambda: get(f"http://{store}/minio/health/ready") == b"")

    worker = TARGET / "debug" / "tidegate-ingest-worker"
    bucket = {"TIDEGATE_STORE_BUCKET": "tidegate", "TIDEGATE_STORE_ENDPOINT": f"http://{store}"} | access
    key = subprocess.run([worker, "--create-key", "demo"], env=os.environ | bucket, capture_output=True, text=True, check=True).stdout.strip()
    rtmp = [free_port(), free_port()]
    for port in rtmp:
        metrics = free_port()
        start(worker, "--listen", f"127.0.0.1:{port}", TIDEGATE_METRICS_LISTEN=f"127.0.0.1:{metrics}", TIDEGATE_TWIN_ENABLED="true", **bucket)
        until("a worker", 20, lambda: get(f"http://127.0.0.1:{metrics}/readyz"))

    component = TARGET / "tidegate" / "functions.wasm"
    ports = [free_port(), free_port()]
    edges = [f"http://127.0.0.1:{port}" for port in ports]
    hosts = []
    for port in ports:
        hosts.append(
            start(
                TARGET / "debug" / "tidegate-host",
                TIDEGATE_LISTEN=f"127.0.0.1:{port}",
                TIDEGATE_ENDPOINT=f"http://{store}",
                TIDEGATE_BUCKET="tidegate",
                TIDEGATE_COMPONENT=str(component),
                TIDEGATE_CACHE=str(WORK / "compiled"),
                **access,
            )
        )
    for edge in edges:
        until("an edge", 60, lambda: get(f"{edge}/readyz"))

    # The configuration that compose mounts, with the addresses of this machine.
    front = free_port()
    configuration = (ROOT / "infra/compose/cache.conf").read_text()
    for name, port in zip(("edge-1:8080", "edge-2:8080"), ports):
        assert name in configuration
        configuration = configuration.replace(name, f"127.0.0.1:{port}")
    configuration = configuration.replace("listen 8080;", f"listen 127.0.0.1:{front};").replace("/run/nginx.pid", str(WORK / "nginx.pid"))
    configuration = configuration.replace("/var/cache/nginx", str(WORK / "cache")).replace("http2 on;", "")
    (WORK / "cache").mkdir()
    (WORK / "nginx.conf").write_text("daemon off;\nuser root;\n" + configuration if os.getuid() == 0 else "daemon off;\n" + configuration)
    start("nginx", "-e", "stderr", "-c", WORK / "nginx.conf", "-p", WORK)
    base = f"http://127.0.0.1:{front}"
    until("the cache", 10, lambda: get(f"{base}/readyz"))

    start(
        *"ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=330".split(),
        *"-t 120 -c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -tune zerolatency -c:a aac -f flv".split(),
        f"rtmp://127.0.0.1:{rtmp[0]}/live/{key}",
    )
    multivariant = until("a playlist", 20, lambda: get(f"{base}/live/demo/index.m3u8").decode())
    media = next(line for line in multivariant.splitlines() if line and not line.startswith("#"))
    session = media.split("/")[0] if "/" in media else ""
    address = f"{base}/live/demo/{media}"
    playlist = until("a media playlist", 20, lambda: get(address).decode())
    assert "#EXT-X-PART:" in playlist, playlist

    # Many viewers wait for the same part of the next segment: the edges see hardly anything of it.
    msn = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist).group(1)) + playlist.count("#EXTINF")
    before = requests_of(edges)
    with concurrent.futures.ThreadPoolExecutor(VIEWERS) as pool:
        answers = set(pool.map(lambda _: get(f"{address}?_HLS_msn={msn + 1}&_HLS_part=0", 20), range(VIEWERS)))
    # Two requests are those for /metrics.
    cost = requests_of(edges) - before - 2
    assert len(answers) == 1, "identical requests got different playlists"
    assert cost <= 4, f"{VIEWERS} identical viewers cost the edges {cost} requests"

    # What a cache is for, as the doctor sees it: through it, and at both edges behind it, one blocking request and the same bytes.
    doctor = TARGET / "debug" / "tidegate"
    assert doctor.exists(), "the command line is not built: infra/build"
    watch = [word for place in (base, *edges) for word in ("--watch", f"{place}/live/demo/index.m3u8")]
    said = subprocess.run([doctor, "doctor", "--json", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", *watch], capture_output=True, text=True)
    findings = [(one["check"], one["outcome"], one["seen"]) for one in json.loads(said.stdout)["findings"] if one["check"].startswith("edge.")]
    caches = [finding for finding in findings if finding[0] == "edge.cache"]
    assert len(caches) == 3 and all(outcome != "failed" for _, outcome, _ in findings), findings
    assert caches[0][1] == "fine" and "held for" in caches[0][2], findings
    assert [outcome for check, outcome, _ in findings if check == "edge.same"] == ["fine", "fine"], findings

    # An edge dies: whoever asks through the cache goes on.
    hosts[0].send_signal(signal.SIGKILL)
    hosts[0].wait()
    later = until("the stream after an edge has died", 20, lambda: get(f"{address}?_HLS_msn={msn + 3}", 20))
    assert b"#EXTINF" in later
    print(f"{VIEWERS} viewers of one part cost the edges {cost} requests; session {session or 'in place'}; playlist {len(later)} bytes")


with tempfile.TemporaryDirectory() as folder:
    WORK = pathlib.Path(folder)
    try:
        main()
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
