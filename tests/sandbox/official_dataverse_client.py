"""Microsoft's official Python client for Dataverse against the sandbox: signs in, writes, reads, and says what it saw.

Reads where the sandbox is as JSON from standard input, and writes what it did as JSON to standard output.
"""

import json
import sys

from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem


def main():
    told = json.load(sys.stdin)
    credential = ClientSecretCredential(
        told["tenant"],
        told["client_id"],
        told["secret"],
        authority=told["base"],
        disable_instance_discovery=True,
    )
    client = DataverseClient(told["base"], credential)
    records = client.records

    # One record: created with the label of an option, read, changed.
    ana = records.create("lead", {"subject": "Ebook", "firstname": "Ana", "lastname": "Ruiz", "leadsourcecode": "Web"})
    records.update("lead", ana, {"lastname": "Gil"})
    read = records.retrieve("lead", ana, select=["fullname", "leadsourcecode"])
    assert (read["fullname"], read["leadsourcecode"]) == ("Ana Gil", 8), read

    # Many records, and pages of them.
    many = records.create("lead", [{"subject": "Webinar", "lastname": f"N{number:02}"} for number in range(12)])
    assert len(set(many)) == 12, many
    pages = [len(page) for page in records.list_pages("lead", filter="subject eq 'webinar'", select=["lastname"], page_size=5)]
    assert pages == [5, 5, 2], pages
    records.update("lead", many[:2], {"companyname": "Ruiz SL"})
    found = records.list("lead", filter="companyname eq 'RUIZ sl'", select=["lastname"], orderby=["lastname"])
    assert [one["lastname"] for one in found] == ["N00", "N01"], found

    # A column and an alternate key of our own, and upserts by it.
    client.tables.add_columns("lead", {"new_ResponseKey": "string"})
    client.tables.create_alternate_key("lead", "new_ResponseKey_key", ["new_responsekey"])
    states = [key.status for key in client.tables.get_alternate_keys("lead")]
    assert states == ["Active"], states
    for subject in ("first", "second"):
        records.upsert("lead", [UpsertItem({"new_responsekey": "it's-1"}, {"subject": subject})])
    records.upsert("lead", [UpsertItem({"new_responsekey": f"m-{number}"}, {"subject": "many"}) for number in range(3)])
    found = records.list("lead", filter="new_responsekey eq 'it''s-1'", select=["subject"])
    assert [one["subject"] for one in found] == ["second"], found

    # A batch with a change set.
    batch = client.batch.new()
    with batch.changeset() as changes:
        made = changes.records.create("lead", {"lastname": "Set"})
        changes.records.update("lead", made, {"firstname": "Change"})
    batch.records.list("lead", filter="fullname eq 'Change Set'", select=["fullname"])
    result = batch.execute()
    assert [response.status_code for response in result.responses] == [204, 204, 200], result

    # What is refused comes with the service's code.
    try:
        records.create("lead", {"mobilephone": "1" * 21})
        raise AssertionError("a telephone number that is too long was accepted")
    except HttpError as error:
        assert error.status_code == 400 and error.details["service_error_code"] == "0x80044331", error.to_dict()

    records.delete("lead", ana)
    json.dump({"created": 1 + len(many) + 1 + 3 + 1, "deleted": 1}, sys.stdout)


main()
