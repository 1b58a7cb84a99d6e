# The DKIM of dkimpy (Debian's python3-dkim, python3-nacl), one JSON request a line on stdin, one JSON answer a line on stdout:
#   {"do":"verify","message":BASE64,"port":PORT}                 the topmost signature; the DNS is asked at 127.0.0.1:PORT
#   {"do":"sign","message":BASE64,"key":TEXT,"algorithm","method","domain","selector"}
# A request that fails answers {"error":TEXT}.
import base64
import json
import sys

import dkim
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
dns.resolver.default_resolver = resolver


def verify(request):
    resolver.port = request["port"]
    try:
        holds = dkim.DKIM(base64.b64decode(request["message"])).verify()
        return {"holds": holds, "detail": ""}
    except dkim.DKIMException as error:
        return {"holds": False, "detail": repr(error)}


def sign(request):
    field = dkim.sign(
        base64.b64decode(request["message"]),
        request["selector"].encode(),
        request["domain"].encode(),
        request["key"].encode(),
        canonicalize=tuple(form.encode() for form in request["method"].split("/")),
        signature_algorithm=request["algorithm"].encode(),
    )
    return {"field": field.decode("latin1")}


for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = verify(request) if request["do"] == "verify" else sign(request)
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
