# dkimpy (Debian's python3-dkim, python3-authres), one JSON request a line on stdin, one JSON answer a line on stdout:
#   {"do":"verify","message":BASE64,"port":PORT}                 the DNS is asked at 127.0.0.1:PORT
#   {"do":"seal","message":BASE64,"key":PEM,"domain","selector","authservId"}
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
    result, _, reason = dkim.arc_verify(base64.b64decode(request["message"]))
    return {"result": "" if result is None else result.decode(), "detail": reason}


def seal(request):
    fields = dkim.arc_sign(
        base64.b64decode(request["message"]),
        request["selector"].encode(),
        request["domain"].encode(),
        request["key"].encode(),
        request["authservId"].encode(),
    )
    # Its AAR ends with a line end of its own already.
    return {"headers": "".join(field.decode("latin1").rstrip("\r\n") + "\r\n" for field in fields)}


for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = verify(request) if request["do"] == "verify" else seal(request)
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
