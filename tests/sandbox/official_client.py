"""Walks the sandbox with LinkedIn's official Python client, unchanged but for its base addresses.

Reads what is true from standard input as JSON, prints one line of JSON when everything agreed, and ends with a traceback otherwise.
"""

import html
import json
import re
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import linkedin_api.clients.auth.utils.oauth as oauth
import linkedin_api.common.constants as constants
import requests
from linkedin_api.clients.auth.client import AuthClient
from linkedin_api.clients.restli.client import RestliClient

truth = json.load(sys.stdin)
base = truth["base"]
constants.OAUTH_BASE_URL = oauth.OAUTH_BASE_URL = base + "/oauth/v2"
constants.VERSIONED_BASE_URL = base + "/rest"
constants.NON_VERSIONED_BASE_URL = base + "/v2"
VERSION = "202607"
SCOPES = ["openid", "profile", "email", "r_ads", "r_marketing_leadgen_automation", "r_organization_admin"]


def direct(session):
    """Nothing between this and the sandbox, whatever the environment says."""
    session.trust_env = False
    return session


def consent(address):
    """Takes the two pages as plain forms; gives the query of the redirect."""
    browser = direct(requests.Session())
    page = browser.get(address)
    for action, fields in (
        ("sign_in", {"session_key": truth["email"], "session_password": truth["password"]}),
        ("allow", {}),
    ):
        form = re.search(r'<form method="post" action="([^"]+)"', page.text).group(1)
        request = re.search(r'name="request" value="([^"]+)"', page.text).group(1)
        target = urljoin(address, html.unescape(form))
        page = browser.post(target, data={"request": html.unescape(request), "action": action, **fields}, allow_redirects=False)
    assert page.status_code == 302, page.status_code
    return parse_qs(urlsplit(page.headers["location"]).query)


auth = AuthClient("sandbox-client", "sandbox-secret", "http://127.0.0.1:9/callback")
direct(auth.session)
back = consent(auth.generate_member_auth_url(SCOPES, state="state-1"))
assert back["state"] == ["state-1"], back
token = auth.exchange_auth_code_for_access_token(back["code"][0])
assert token.status_code == 200 and token.expires_in == 5184000, token.status_code
assert set(re.split("[ ,]+", token.scope)) == set(SCOPES), token.scope
known = auth.introspect_access_token(token.access_token)
assert known.active and known.status == "active" and known.auth_type == "3L"
fresh = auth.exchange_refresh_token_for_access_token(token.refresh_token)
assert fresh.access_token and fresh.refresh_token == token.refresh_token
access = fresh.access_token

client = RestliClient()
direct(client.session)
call = {"access_token": access, "version_string": VERSION}

me = client.get(resource_path="/userinfo", access_token=access)
assert me.entity["email"] == truth["email"], me.entity

accounts = client.finder(
    resource_path="/adAccounts",
    finder_name="search",
    query_params={"search": {"status": {"values": ["ACTIVE", "DRAFT"]}, "test": False}},
    **call,
)
assert len(accounts.elements) == truth["accounts"], accounts.entity
account = client.get(
    resource_path="/adAccounts/{id}", path_keys={"id": truth["account"]}, query_params={"fields": "id,name"}, **call
)
assert set(account.entity) == {"id", "name"}, account.entity
row = client.get(
    resource_path="/adAccountUsers/{key}",
    path_keys={"key": {"account": f"urn:li:sponsoredAccount:{truth['account']}", "user": f"urn:li:person:{me.entity['sub']}"}},
    **call,
)
assert row.entity["role"] == "ACCOUNT_MANAGER", row.entity

owner = {"sponsoredAccount": f"urn:li:sponsoredAccount:{truth['account']}"}
forms = client.finder(resource_path="/leadForms", finder_name="owner", query_params={"owner": owner, "count": 100}, **call)
assert sorted(form["id"] for form in forms.elements) == sorted(truth["forms"])
assert any(form["id"] > 2**53 for form in forms.elements)
several = client.batch_get(resource_path="/leadForms", ids=truth["forms"], **call)
assert sorted(several.results) == sorted(str(form) for form in truth["forms"])

seen = []
while True:
    page = client.finder(
        resource_path="/leadFormResponses",
        finder_name="owner",
        query_params={
            "owner": owner,
            "leadType": {"leadType": "SPONSORED"},
            "limitedToTestLeads": False,
            "submittedAtTimeRange": {"start": 1, "end": 4000000000000},
            "start": len(seen),
            "count": 50,
            "fields": "id,submittedAt,form:(id,name)",
        },
        **call,
    )
    assert page.status_code == 200, page.response.text
    assert page.paging.total == len(truth["responses"]), page.paging.total
    if not page.elements:
        break
    assert all(set(element) == {"id", "submittedAt", "form"} for element in page.elements)
    seen += [element["id"] for element in page.elements]
assert sorted(seen) == sorted(truth["responses"])

version = client.finder(
    resource_path="/leadFormResponses",
    finder_name="owner",
    query_params={
        "owner": owner,
        "leadType": {"leadType": "SPONSORED"},
        "versionedLeadGenFormUrn": f"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{truth['forms'][0]},1)",
        "count": 1000,
    },
    **call,
)
assert 0 < len(version.elements) < len(seen)

one = client.get(resource_path="/leadFormResponses/{id}", path_keys={"id": seen[0]}, **call)
assert one.entity["id"] == seen[0]
# More than 4000 characters of query: the client tunnels them in a POST.
batch = client.batch_get(resource_path="/leadFormResponses", ids=seen, **call)
assert len(batch.results) == len(seen) and batch.response.request.method == "POST"

missing = client.finder(resource_path="/leadForms", finder_name="owner", **call)
assert missing.status_code == 400, missing.status_code
old = client.finder(
    resource_path="/leadForms", finder_name="owner", query_params={"owner": owner}, access_token=access, version_string="202401"
)
assert old.status_code == 426, old.status_code
print(json.dumps({"responses": len(seen)}))
