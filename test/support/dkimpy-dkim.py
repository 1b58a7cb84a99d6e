# The DKIM of dkimpy (Debian's python3-dkim), one JSON request a line on stdin, one JSON answer a line on stdout:
#   {"message":BASE64,"port":PORT}     verifies every DKIM-Signature; the DNS is asked at 127.0.0.1:PORT
# The answer is a list of booleans, from the top; a request that fails answers {"error":TEXT}.
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
    checker = dkim.DKIM(base64.b64decode(request["message"]))
    count = sum(1 for name, _ in checker.headers if name.lower() == b"dkim-signature")
    return [checker.verify(idx) for idx in range(count)]


for line in sys.stdin:
    try:
        answer = verify(json.loads(line))
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
