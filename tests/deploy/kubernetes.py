"""Reads what kustomize has rendered and looks for what schemas do not say: tests/deploy/kubernetes.py RENDERED.yaml

Every pod keeps the restricted profile of Kubernetes, has bounds and a policy of its network; every selector finds somebody; every image is pinned by a
version; a SpinApp has the fields of its kind.
"""
import re
import sys

import yaml

# core.spinkube.dev/v1alpha1, whose schema is not among those of Kubernetes: fields of `spec` with their types.
SPIN_APP = {
    "image": str, "executor": str, "replicas": int, "enableAutoscaling": bool, "resources": dict, "podLabels": dict, "podAnnotations": dict,
    "variables": list, "checks": dict, "runtimeConfig": dict, "serviceAnnotations": dict, "deploymentAnnotations": dict, "imagePullSecrets": list,
    "volumes": list, "volumeMounts": list, "serviceAccountName": str, "components": list,
}  # fmt: skip

documents = [document for document in yaml.safe_load_all(open(sys.argv[1])) if document]
wrong: list[str] = []
pods: dict[str, dict] = {}


def name(document: dict) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def labels_match(selector: dict, labels: dict) -> bool:
    def meets(one: dict) -> bool:
        value = labels.get(one["key"])
        return {"In": value in one.get("values", []), "Exists": value is not None, "NotIn": value not in one.get("values", [])}[one["operator"]]

    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(meets(one) for one in selector.get("matchExpressions", []))


def check_pod(where: str, spec: dict) -> None:
    def bad(what: str) -> None:
        wrong.append(f"{where}: {what}")

    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        bad("may run as root")
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        bad("has no seccomp profile")
    if spec.get("automountServiceAccountToken") is not False:
        bad("is given a token of the cluster that it does not need")
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            bad(f"asks for {field}")
    kinds = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "name"}
    for volume in spec.get("volumes", []):
        if set(volume) - kinds:
            bad(f"has a volume that the profile forbids: {sorted(set(volume) - kinds)}")
    for container in spec.get("containers", []) + spec.get("initContainers", []):
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            bad("may get more rights than it has")
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
            bad("keeps capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            bad("writes to its root")
        if "memory" not in container.get("resources", {}).get("limits", {}) or "cpu" not in container.get("resources", {}).get("requests", {}):
            bad("has no bound of memory, or asks for no processor")
        if "readinessProbe" not in container:
            bad("is never asked whether it is ready")
        if not re.search(r"(:[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})$", container["image"]):
            bad(f"{container['image']} is no version")


for document in documents:
    kind, spec = document["kind"], document.get("spec", {})
    if kind in ("Deployment", "StatefulSet"):
        template = spec["template"]
        check_pod(name(document), template["spec"])
        if not labels_match(spec["selector"], template["metadata"]["labels"]):
            wrong.append(f"{name(document)}: does not select its own pods")
        pods[document["metadata"]["name"]] = template["metadata"]["labels"]
        if kind == "StatefulSet":
            for number in range(spec["replicas"]):
                pod = f"{document['metadata']['name']}-{number}"
                pods[pod] = template["metadata"]["labels"] | {"statefulset.kubernetes.io/pod-name": pod}
            governing = [d for d in documents if d["kind"] == "Service" and d["metadata"]["name"] == spec["serviceName"]]
            if not governing or governing[0]["spec"].get("clusterIP") != "None":
                wrong.append(f"{name(document)}: its pods have no names, since {spec['serviceName']} is no headless service")
    elif kind == "SpinApp":
        unknown = [field for field, value in spec.items() if field not in SPIN_APP or not isinstance(value, SPIN_APP[field])]
        if unknown or not {"image", "executor"} <= set(spec):
            wrong.append(f"{name(document)}: fields {unknown or 'image and executor'} are not those of a SpinApp")
        if ("replicas" in spec) == bool(spec.get("enableAutoscaling")):
            wrong.append(f"{name(document)}: says how many there are, or that something else does: one of the two")
        pods[document["metadata"]["name"]] = spec.get("podLabels", {})

for document in documents:
    kind, spec = document["kind"], document.get("spec", {})
    selector = {"Service": {"matchLabels": spec.get("selector", {})}, "PodDisruptionBudget": spec.get("selector"), "NetworkPolicy": spec.get("podSelector")}.get(kind)
    if selector is not None and not any(labels_match(selector, labels) for labels in pods.values()):
        wrong.append(f"{name(document)}: selects nobody")
    if kind == "HorizontalPodAutoscaler" and spec["scaleTargetRef"]["name"] not in pods:
        wrong.append(f"{name(document)}: scales {spec['scaleTargetRef']['name']}, which is not there")

policies = [document["spec"] for document in documents if document["kind"] == "NetworkPolicy"]
if not any(policy["podSelector"] == {} and {"Ingress", "Egress"} <= set(policy["policyTypes"]) and not policy.get("ingress") and not policy.get("egress") for policy in policies):
    wrong.append("nothing is denied by default")
for pod, labels in pods.items():
    if not any(policy["podSelector"] and "Ingress" in policy["policyTypes"] and labels_match(policy["podSelector"], labels) for policy in policies):
        wrong.append(f"{pod}: no policy lets anybody in")

print("\n".join(wrong))
sys.exit(1 if wrong else 0)
