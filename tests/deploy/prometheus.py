"""A real Prometheus reads the platform as infra/compose has it read, and is asked what Grafana's dashboard and the alerts ask.

A second Prometheus knows only what OpenTelemetry's collector sends it by OTLP, with infra/analytics/opentelemetry.yaml: both have to know the
same figures, and the dashboard has to be drawn from either.
  PROMETHEUS [COLLECTOR]
"""
import json
import math
import re
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml
from processes import ROOT, Platform, folder, free_port, get, publish, start, until

COMPOSE = ROOT / "infra/compose"
VIEWERS = 6
# Reports are due within a minute and ten seconds, the collector reads every 15 s, and a rate takes two of its readings; the rest is for a loaded machine.
PATIENCE_S = 240


class Prometheus:
    def __init__(self, name: str, work, configuration, *flags: str):
        self.name, self.address = name, f"127.0.0.1:{free_port()}"
        data = work / f"data-{name}"
        start(sys.argv[1], f"--config.file={configuration}", f"--storage.tsdb.path={data}", f"--web.listen-address={self.address}", *flags)
        until(f"Prometheus ({name})", 60, lambda: get(f"http://{self.address}/-/ready"))

    def ask(self, path: str, **parameters):
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        try:
            return json.loads(get(f"http://{self.address}/api/v1/{path}{query}"))["data"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"Prometheus ({self.name}) refuses {path}{query}: {error.read().decode(errors='replace')}") from None

    def series(self, expression: str) -> list[dict]:
        """What an expression has given since this began, as Grafana asks it: a number at any time."""
        now = time.time()
        found = self.ask("query_range", query=expression, start=now - 600, end=now, step=5)["result"]
        return [one["metric"] for one in found if not all(math.isnan(float(value)) for _, value in one["values"])]

    def value(self, expression: str) -> float:
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else math.nan

    def names(self) -> set[str]:
        return {name for name in self.ask("label/__name__/values") if name.startswith("tidegate_")}


class Viewer:
    """Says what a player says (CMCD 2): that it has begun, and every 5 s what came of them. One has stood still, one tells an error."""

    def __init__(self, n: int, edge: str):
        self.n, self.edge, self.said, self.begun, self.at = n, edge, 0, time.monotonic(), 0

    def report(self) -> None:
        at = round((time.monotonic() - self.begun) * 1000)
        if self.said and at < self.at + 5000:
            return
        line = f'br=(800),ltc={1400 + self.n},sid="v{self.n}",sn={self.said},sta=p,ts={at}'
        if self.said == 0:
            line += f",e=ps,msd={500 + self.n}"
        else:
            ran, stalled = at - self.at, 1000 if (self.n, self.said) == (0, 1) else 0
            line += f',com.tidegate-since="{ran} {ran - stalled} {stalled} {stalled // 1000} 1"'
            line += ',e=e,ec=("decode")' if (self.n, self.said) == (1, 1) else ",e=t"
        body = ",".join(sorted(line.split(","))).encode()
        request = urllib.request.Request(f"http://{self.edge}/live/demo/beacon", body, {"content-type": "application/cmcd", "user-agent": f"viewer {self.n}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 204, answer.status
        self.said, self.at = self.said + 1, at


def panels() -> list[dict]:
    board = json.loads((COMPOSE / "grafana/dashboards/tidegate.json").read_text())
    assert not board["templating"]["list"], "there are variables: fill them in as Grafana does"
    found = [panel for panel in board["panels"] if panel.get("targets")]
    assert len(found) > 10, "the dashboard is not read"
    return found


def undrawn(prometheus: Prometheus) -> list[str]:
    """What of the dashboard shows nothing, or two lines by one name."""
    wrong = []
    for panel in panels():
        legends = []
        for target in panel["targets"]:
            series = prometheus.series(target["expr"])
            if not series:
                wrong.append(f"{prometheus.name}: {panel['title']}: nothing comes of {target['expr']}")
            for one in series:
                legends.append(re.sub(r"{{(\w+)}}", lambda label: one.get(label[1], f"no label {label[1]}"), target["legendFormat"]))
        wrong += [f"{prometheus.name}: {panel['title']}: {legend}" for legend in set(legends) if legends.count(legend) > 1 or "no label" in legend]
    return wrong


def main(work) -> None:
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    platform = Platform(**{name: value for name, value in compose["minio"]["environment"].items() if "${" not in value})

    # What compose mounts, with the addresses of this machine.
    mounted = work / "etc"
    mounted.mkdir()
    for source, target in (volume.split(":")[:2] for volume in compose["prometheus"]["volumes"]):
        if source.startswith("./"):
            assert target.startswith("/etc/prometheus/"), target
            (mounted / target.removeprefix("/etc/prometheus/")).write_text((COMPOSE / source).read_text())
    text = (mounted / "prometheus.yaml").read_text()
    places = dict(zip(("worker-1:9464", "worker-2:9464", "edge-1:8080", "edge-2:8080", "minio:9000"), (*platform.workers, *platform.edges, platform.store)))
    for name, address in places.items():
        assert f'"{name}"' in text, f"prometheus.yaml reads no {name}"
        text = text.replace(f'"{name}"', f'"{address}"')
    (mounted / "prometheus.yaml").write_text(text)
    flags = [flag for flag in compose["prometheus"]["command"] if not flag.startswith("--config.file=")]
    scraping = Prometheus("scraped", work, mounted / "prometheus.yaml", *flags)
    all_of_them = [scraping]
    if len(sys.argv) > 2:
        (work / "otlp.yaml").write_text("{}\n")
        sent = Prometheus("sent by OTLP", work, work / "otlp.yaml", "--web.enable-otlp-receiver")
        all_of_them.append(sent)
        lists = {"WORKERS": f"[{', '.join(platform.workers)}]", "EDGES": f"[{', '.join(platform.edges)}]"}
        start(sys.argv[2], "--config", ROOT / "infra/analytics/opentelemetry.yaml", OTLP_ENDPOINT=f"http://{sent.address}/api/v1/otlp", **lists)

    publish(*platform.pushes)
    for edge in platform.edges:
        until("a playlist", 60, lambda: get(f"http://{edge}/live/demo/index.m3u8"))
    viewers = [Viewer(n, platform.edges[n % 2]) for n in range(VIEWERS)]

    def go_on(probe):
        """Asks until it is so, and the viewers go on meanwhile."""
        end = time.monotonic() + PATIENCE_S
        while True:
            for viewer in viewers:
                viewer.report()
            wrong = probe()
            if not wrong:
                return
            if time.monotonic() > end:
                raise SystemExit("\n".join(wrong))
            time.sleep(2)

    jobs = {job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]}

    def down() -> list[str]:
        targets = scraping.ask("targets", state="active")["activeTargets"]
        if {target["labels"]["job"] for target in targets} != jobs or len(targets) != len(places):
            return [f"Prometheus knows these targets: {targets}"]
        return [f"{target['scrapeUrl']} is {target['health']}: {target['lastError']}" for target in targets if target["health"] != "up"]

    go_on(down)

    def unlike() -> list[str]:
        """What the figures do not come to, of what the viewers have told."""
        wrong = []
        for prometheus in all_of_them:
            for metric, is_right in {
                "tidegate_viewers": lambda it: it == VIEWERS,
                "tidegate_viewers_plays_total": lambda it: it == VIEWERS,
                "tidegate_viewers_errors_total": lambda it: it == 1,
                "tidegate_viewers_stalled_seconds_total": lambda it: it >= 1,
                'tidegate_viewers_latency_seconds{quantile="0.5"}': lambda it: 1.3 < it < 1.5,
                'tidegate_viewers_startup_seconds{quantile="0.5"}': lambda it: 0.45 < it < 0.55,
            }.items():
                value = prometheus.value(f"max({metric})")
                if not is_right(value):
                    wrong.append(f"{prometheus.name}: {metric} is {value}")
        return wrong

    go_on(unlike)
    go_on(lambda: [fault for prometheus in all_of_them for fault in undrawn(prometheus)])
    if len(all_of_them) > 1:
        go_on(lambda: [f"{name} is read, and does not come by OTLP" for name in sorted(scraping.names() - all_of_them[1].names())])

    # Each alert is one of Prometheus's own by now, about figures that there are.
    known = {rule["name"]: rule for group in scraping.ask("rules")["groups"] for rule in group["rules"]}
    written = [rule for group in yaml.safe_load((COMPOSE / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
    assert len(written) > 5 and {rule["alert"] for rule in written} == set(known), known
    assert all(rule["health"] == "ok" for rule in known.values()), known
    lacking = [f"{rule['alert']}: there is no {name}" for rule in written for name in re.findall(r"tidegate_\w+", rule["expr"]) if name not in scraping.names()]
    assert not lacking, lacking
    early = {rule["name"]: rule["state"] for rule in known.values() if rule["state"] != "inactive"}
    assert "TidegateDown" not in early and "TidegateStreamStandsStill" not in early, early

    platform.hosts[0].send_signal(signal.SIGKILL)
    platform.hosts[0].wait()

    def silent() -> list[str]:
        alerts = [alert["labels"] for alert in scraping.ask("alerts")["alerts"]]
        is_told = any(one["alertname"] == "TidegateDown" and one["instance"] == platform.edges[0] for one in alerts)
        return [] if is_told else [f"an edge is gone, and nobody is told: {alerts}"]

    viewers = viewers[1::2]
    go_on(silent)
    queries = sum(len(panel["targets"]) for panel in panels())
    ways = " and ".join(prometheus.name for prometheus in all_of_them)
    print(f"{len(places)} targets in {len(jobs)} jobs up; {queries} queries of the dashboard drawn ({ways}); {len(scraping.names())} figures; {len(known)} alerts; early: {early}")


with folder() as work:
    main(work)
