"""Reads infra/compose/compose.yaml as compose does and checks what it refers to: files, services, volumes, variables, known keys."""
import pathlib
import re
import sys

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "infra" / "compose"
# The keys of the compose specification that a service of ours may have; a typing error is none of them.
KEYS = set(
    "image build depends_on environment command entrypoint volumes ports healthcheck restart read_only cap_drop cap_add security_opt logging tmpfs stop_grace_period".split()
)
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


def main() -> list[str]:
    text = (FOLDER / "compose.yaml").read_text()
    compose = yaml.safe_load(text)
    services, volumes = compose["services"], set(compose["volumes"])
    wrong = []
    for name, service in services.items():
        wrong += [f"{name}: unknown key {key}" for key in set(service) - KEYS]
        depends = service.get("depends_on", {})
        for other in depends:
            if other not in services:
                wrong.append(f"{name} depends on {other}, which is no service")
            elif isinstance(depends, dict):
                condition = depends[other]["condition"]
                if condition not in CONDITIONS:
                    wrong.append(f"{name}: unknown condition {condition}")
                elif condition == "service_healthy" and "healthcheck" not in services[other]:
                    wrong.append(f"{name} waits for the health of {other}, which has no check")
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                if not (FOLDER / source).exists():
                    wrong.append(f"{name} mounts {source}, which is not there")
            elif source not in volumes:
                wrong.append(f"{name} mounts {source}, which is no volume")
        build = service.get("build")
        if build and not (FOLDER / build["context"] / build["dockerfile"]).is_file():
            wrong.append(f"{name}: {build['dockerfile']} is not there")
        if not service.get("image"):
            wrong.append(f"{name} has no image")
    set_there = set(re.findall(r"^#?([A-Z_]+)=", (FOLDER / "example.env").read_text(), re.M))
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    wrong += [f"{name} is used but not in example.env" for name in sorted(used - set_there)]
    wrong += [f"{name} is in example.env but not used" for name in sorted(set_there - used)]
    # Prometheus and the cache name services by their host names.
    for file in ("prometheus.yaml", "cache.conf"):
        for host in re.findall(r'[" ]((?:edge|worker|minio)[-0-9a-z]*):\d+', (FOLDER / file).read_text()):
            if host not in services:
                wrong.append(f"{file} names {host}, which is no service")
    return wrong


problems = main()
print("\n".join(problems))
sys.exit(1 if problems else 0)
