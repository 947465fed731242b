"""In a pod of the backend: print what an address answers, 500 characters of it."""

import sys
import urllib.error
import urllib.request

try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=8).read()  # noqa: S310
except urllib.error.HTTPError as error:
    answer = error.read()
print(answer.decode()[:500])
