"""What the fuzzer cannot know of itself: which values exist, which times are ahead, and how the provider signs."""

import base64
import hashlib
import hmac
import os
import time

import schemathesis
from hypothesis import strategies as st
from requests.auth import AuthBase

# Saudi mobile numbers: each of them exists.
schemathesis.openapi.format("e164", st.integers(0, 9_999_999).map(lambda number: f"+96650{number:07}"))
schemathesis.openapi.format("base64", st.binary(max_size=64).map(lambda data: base64.b64encode(data).decode()))
# A webhook's: of the public network.
schemathesis.openapi.format("uri", st.integers(0, 255).map(lambda part: f"https://203.0.112.{part}/webhooks"))

SIGNED_PATH = "/callbacks/call-status"
FILE_PATH = "/calls/import"


class ProviderSignature(AuthBase):
    """Over the bytes that are sent. A request made without the header stays without it: it is to be refused."""

    def __call__(self, request):
        if "X-Webhook-Signature" not in request.headers:
            return request
        timestamp = str(int(time.time()))
        body = request.body or b""
        signed = timestamp.encode() + b"." + (body.encode() if isinstance(body, str) else body)
        digest = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), signed, hashlib.sha256).hexdigest()
        request.headers["X-Webhook-Timestamp"] = timestamp
        request.headers["X-Webhook-Signature"] = f"sha256={digest}"
        return request


def acceptable(fields):
    """What no schema can say: an expiry that is ahead, and metadata that can be kept."""
    fields = dict(fields)
    if "expiresAt" in fields:
        fields["expiresAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
    if "metadata" in fields:
        fields["metadata"] = kept(fields["metadata"], 1)
    return fields


def kept(value, depth):
    """Without NUL, without `__proto__`, and no deeper than 8."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [kept(one, depth + 1) for one in value] if depth <= 8 else 8
    if isinstance(value, dict):
        names = {kept(name, 1): one for name, one in value.items() if name != "__proto__"}
        return {name: kept(one, depth + 1) for name, one in names.items()} if depth <= 8 else 8
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != schemathesis.GenerationMode.POSITIVE:
        return
    if case.query and "cursor" in case.query:
        case.query = {**case.query, "cursor": "MTo3"}
    if isinstance(case.body, dict):
        case.body = acceptable(case.body)
    # A file whose columns cannot be told is refused as a whole: whatever was made is a row of one that is not.
    if case.operation.path == FILE_PATH and isinstance(case.body, str) and not case.body.startswith("to,"):
        case.body = "to,scriptId\n+966500000001,\"" + case.body.replace("\0", "").replace('"', "'") + "\"\n"
    if case.operation.path == SIGNED_PATH:
        kwargs["auth"] = ProviderSignature()
