#!/bin/sh
# A photo through a workflow with curl; Python's standard library reads the JSON.
#   sh curl.sh WORKFLOW.json [PARAMETERS [PHOTO]]      SERVER=http://127.0.0.1:8188 FOLDER=pictures
# PARAMETERS as in parameters.py; the PHOTO is uploaded under its own name, which they mention:
#   sh curl.sh ../api/faces_inspect.json '{"Photo": {"image": "me.jpg"}}' me.jpg
set -eu
server=${SERVER:-http://127.0.0.1:8188}
folder=${FOLDER:-pictures}
python=${PYTHON:-python3}
[ $# -ge 2 ] || set -- "$1" '{}'
# A line that moves fewer than a hundred bytes a second for a minute is given up, not one that takes long.
fetch() { curl -sS --fail-with-body --proto =http,https --connect-timeout 60 -Y 100 -y 60 "$@"; }
# Runs Python on the JSON that comes in, which it knows as `said`.
read_json() { "$python" -c "
import json, pathlib, sys, urllib.parse
text = sys.stdin.read()
try:
    said = json.loads(text)
except ValueError:
    sys.exit('The server answered ' + repr(text[:80]) + ', which is not what ComfyUI answers.')
$1"; }

# Upload. A photo of the same name in ComfyUI's input folder is replaced.
if [ $# -ge 3 ]; then
    fetch -F "image=@$3" -F overwrite=true "$server/upload/image" > /dev/null
fi

# Queue. What is wrong with the workflow comes with HTTP 400, by the ids of the nodes.
prompt=$("$python" "$(dirname "$0")/parameters.py" "$1" "$2")
body=$(printf '%s' "$prompt" | read_json 'print(json.dumps({"prompt": said}))')
if ! queued=$(printf '%s' "$body" | fetch -H 'Content-Type: application/json' --data-binary @- "$server/prompt"); then
    printf '%s\n' "$queued" >&2
    exit 1
fi
printf '%s' "$queued" | read_json 'faults = said["node_errors"]
faults and sys.exit("Parts were refused; the others run: " + json.dumps(faults, indent=2))'
id=$(printf '%s' "$queued" | read_json 'print(said["prompt_id"])')

# Wait. The history has nothing until it is done.
history='{}'
while [ "$history" = '{}' ]; do
    sleep 1
    history=$(fetch --max-filesize 100000000 "$server/history/$id")
done
printf '%s' "$history" | read_json 'entry, = said.values()
for kind, data in entry["status"]["messages"]:
    if kind == "execution_error":
        node = entry["prompt"][2][data["node_id"]]
        title = node.get("_meta", {}).get("title") or node["class_type"]
        sys.exit(title + " failed: " + data["exception_message"].strip())'

# Download.
mkdir -p "$folder"
printf '%s' "$history" | read_json 'entry, = said.values()
for output in entry["outputs"].values():
    for picture in output.get("images", []):
        print(urllib.parse.urlencode(picture), pathlib.PurePosixPath(picture["filename"]).name)' |
    while read -r query name; do
        if ! fetch -o "$folder/$name.part" "$server/view?$query"; then
            rm -f "$folder/$name.part"
            exit 1
        fi
        mv "$folder/$name.part" "$folder/$name"
        echo "$folder/$name"
    done
