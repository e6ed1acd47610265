"""Shows `tidegate doctor` real servers that take no notice of conditions: it has to refuse them. tests/deploy/stores.py NAME COMMAND…

COMMAND starts a server of S3; {port} and {folder} in it are filled in. Keys are S3RVER / S3RVER.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

name, command = sys.argv[1], sys.argv[2:]
doctor = pathlib.Path(os.environ["CARGO_TARGET_DIR"]) / "debug" / "tidegate"
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
endpoint = f"http://127.0.0.1:{port}"

with tempfile.TemporaryDirectory() as folder:
    filled = [word.format(port=port, folder=folder) for word in command]
    environment = os.environ | {"HOME": folder, "TMPDIR": folder}
    log = open(pathlib.Path(folder) / "log", "wb")
    server = subprocess.Popen(filled, env=environment, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{endpoint}/tidegate", method="PUT"), timeout=5)
                break
            except urllib.error.HTTPError:
                # It answers: the bucket is there, or asks for a signature and was made at the start.
                break
            except OSError:
                if time.monotonic() > end or server.poll() is not None:
                    raise SystemExit(f"{name} does not answer: {(pathlib.Path(folder) / 'log').read_text(errors='replace')[-600:]}")
                time.sleep(0.2)
        keys = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
        asked = [doctor, "doctor", "--store", "s3://tidegate", "--json", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"]
        answer = subprocess.run(asked, env=os.environ | keys | {"AWS_EC2_METADATA_DISABLED": "true"}, capture_output=True, text=True, timeout=300)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

findings = {one["check"]: one for one in json.loads(answer.stdout)["findings"]}
failed = [check for check, one in findings.items() if one["outcome"] == "failed" and check.startswith("store")]
print(f"{name}: refused by {', '.join(failed) or 'nothing'}")
for check in failed:
    print(f"  {check}: {findings[check]['seen']}")
lost = {"store.write-once", "store.if-match", "store.race", "store.counter"} & set(failed)
if answer.returncode != 1 or not lost or findings.get("path", {}).get("outcome") != "skipped":
    raise SystemExit(f"{name} is not refused as a store that would lose parts: {answer.stdout}{answer.stderr}")
