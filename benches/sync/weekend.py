"""What somebody writes on a weekend: requests, one upsert a row, one commit a page. SQLite or PostgreSQL.

weekend.py DATABASE SERVER PAGE_SIZE prints wall seconds, CPU seconds and peak MiB as JSON. Imports are not counted.
"""

import json
import resource
import sqlite3
import sys
import time

import requests

FIELDS = {1: "first_name", 2: "last_name", 3: "email", 4: "phone", 5: "company", 6: "job_title", 7: "country", 8: "colour"}
TABLES = [
    f"CREATE TABLE leads ({', '.join(f'{name} TEXT' for name in FIELDS.values())}, UNIQUE (email))",
    "CREATE TABLE submissions (response_id TEXT PRIMARY KEY, email TEXT, submitted_at BIGINT, raw TEXT)",
]


def connect(database):
    if database.startswith("sqlite://"):
        connection = sqlite3.connect(database.removeprefix("sqlite://"))
        connection.execute("PRAGMA journal_mode = WAL")
        return connection, "?"
    import psycopg2

    return psycopg2.connect(database), "%s"


def answer(details):
    if "textQuestionAnswer" in details:
        return details["textQuestionAnswer"]["answer"]
    return ",".join(str(option) for option in details["multipleChoiceAnswer"]["options"])


def pages(server, size):
    session, start = requests.Session(), 0
    while True:
        query = {"q": "owner", "limitedToTestLeads": "false", "start": start, "count": size}
        elements = session.get(f"{server}/rest/leadFormResponses", params=query, timeout=60).json()["elements"]
        if not elements:
            return
        yield elements
        start += len(elements)


def main(database, server, size):
    connection, mark = connect(database)
    cursor = connection.cursor()
    for table in TABLES:
        cursor.execute(table)
    names = list(FIELDS.values())
    lead = (
        f"INSERT INTO leads ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))}) ON CONFLICT (email) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in names if name != "email")
    )
    submission = f"INSERT INTO submissions VALUES ({mark}, {mark}, {mark}, {mark}) ON CONFLICT (response_id) DO NOTHING"
    for elements in pages(server, size):
        for element in elements:
            said = {FIELDS[a["questionId"]]: answer(a["answerDetails"]) for a in element["formResponse"]["answers"]}
            cursor.execute(lead, [said.get(name) for name in names])
            cursor.execute(submission, (element["id"], said["email"], element["submittedAt"], json.dumps(element)))
        connection.commit()
    connection.close()


if __name__ == "__main__":
    begun, used = time.perf_counter(), time.process_time()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print(json.dumps({
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))
