"""Runs what infra/compose/compose.yaml describes as processes, with the compose file's own cache configuration, and watches through it.

MinIO, two workers, two edges, nginx in front; a publisher pushes to the first worker. Viewers who ask the same through the cache must
cost the edges one request, and the stream must go on when an edge is killed.
"""
import concurrent.futures
import json
import os
import re
import signal
import subprocess

from processes import ROOT, TARGET, Platform, folder, free_port, get, publish, start, until

VIEWERS = 40


def requests_of(edges: list[str]) -> int:
    counts = []
    for edge in edges:
        text = get(f"{edge}/metrics").decode()
        counts.append(int(re.search(r"^tidegate_host_requests_total (\d+)$", text, re.M).group(1)))
    return sum(counts)


def main(work) -> None:
    platform = Platform()
    edges = [f"http://{edge}" for edge in platform.edges]

    # The configuration that compose mounts, with the addresses of this machine.
    front = free_port()
    configuration = (ROOT / "infra/compose/cache.conf").read_text()
    for name, edge in zip(("edge-1:8080", "edge-2:8080"), platform.edges):
        assert name in configuration
        configuration = configuration.replace(name, edge)
    configuration = configuration.replace("listen 8080;", f"listen 127.0.0.1:{front};").replace("/run/nginx.pid", str(work / "nginx.pid"))
    configuration = configuration.replace("/var/cache/nginx", str(work / "cache")).replace("http2 on;", "")
    (work / "cache").mkdir()
    (work / "nginx.conf").write_text("daemon off;\nuser root;\n" + configuration if os.getuid() == 0 else "daemon off;\n" + configuration)
    start("nginx", "-e", "stderr", "-c", work / "nginx.conf", "-p", work)
    base = f"http://127.0.0.1:{front}"
    until("the cache", 10, lambda: get(f"{base}/readyz"))

    publish(platform.pushes[0])
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
    platform.hosts[0].send_signal(signal.SIGKILL)
    platform.hosts[0].wait()
    later = until("the stream after an edge has died", 20, lambda: get(f"{address}?_HLS_msn={msn + 3}", 20))
    assert b"#EXTINF" in later
    print(f"{VIEWERS} viewers of one part cost the edges {cost} requests; session {session or 'in place'}; playlist {len(later)} bytes")


with folder() as work:
    main(work)
