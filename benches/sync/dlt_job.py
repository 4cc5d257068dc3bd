"""The same pages through dlt (PyPI `dlt[sqlalchemy]`): its REST source, merged by e-mail address into SQLite.

dlt_job.py DATABASE SERVER PAGE_SIZE prints wall seconds, CPU seconds and peak MiB as JSON. Imports are not counted.
"""

import json
import os
import resource
import sys
import tempfile
import time

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_resources  # noqa: E402

FIELDS = {1: "first_name", 2: "last_name", 3: "email", 4: "phone", 5: "company", 6: "job_title", 7: "country", 8: "colour"}


def lead(element):
    row = {"response_id": element["id"], "submitted_at": element["submittedAt"], "raw": json.dumps(element)}
    for answer in element["formResponse"]["answers"]:
        details = answer["answerDetails"]
        text = details.get("textQuestionAnswer", {}).get("answer")
        row[FIELDS[answer["questionId"]]] = text or str(details["multipleChoiceAnswer"]["options"])
    return row


def main(database, server, size):
    config = {
        "client": {
            "base_url": f"{server}/rest/",
            "paginator": {"type": "offset", "limit": size, "limit_param": "count", "offset_param": "start", "total_path": "paging.total"},
        },
        "resources": [{
            "name": "leads",
            "primary_key": "email",
            "write_disposition": "merge",
            "endpoint": {
                "path": "leadFormResponses",
                "params": {"q": "owner", "limitedToTestLeads": "false"},
                "data_selector": "elements",
            },
            "processing_steps": [{"map": lead}],
        }],
    }
    pipeline = dlt.pipeline(
        "weekend",
        destination=dlt.destinations.sqlalchemy(database.replace("sqlite://", "sqlite:///")),
        dataset_name="main",
        pipelines_dir=tempfile.mkdtemp(),
    )
    pipeline.run(rest_api_resources(config)).raise_on_failed_jobs()


if __name__ == "__main__":
    begun, used = time.perf_counter(), time.process_time()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print(json.dumps({
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))
