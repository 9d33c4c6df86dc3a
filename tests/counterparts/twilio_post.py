"""Posts a webhook as Twilio does, signed by Twilio's own library.

Standard input: {"url", "token", "parameters": {NAME: VALUE}, "signed_url"?}. `signed_url` is the address that Twilio
was told, where a proxy makes it differ from the one called. Standard output: {"status", "headers", "body"}.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from twilio.request_validator import RequestValidator

order = json.load(sys.stdin)
parameters = order["parameters"]
signature = RequestValidator(order["token"]).compute_signature(order.get("signed_url") or order["url"], parameters)
request = urllib.request.Request(
    order["url"],
    data=urllib.parse.urlencode(parameters).encode(),
    headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": signature,
        "User-Agent": "TwilioProxy/1.1",
    },
)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
with answer:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    json.dump({"status": answer.status, "headers": headers, "body": answer.read().decode()}, sys.stdout)
