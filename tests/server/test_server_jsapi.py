"""`/_ah/channel/jsapi`: the script as browsers and caches get it."""

import urllib.error
import urllib.request

import pytest


def get(server, **headers):
    request = urllib.request.Request(f"{server.url}/_ah/channel/jsapi", headers=headers)
    with urllib.request.urlopen(request) as response:
        return response, response.read()


def test_it_is_a_script_for_pages_of_any_origin(shared):
    response, body = get(shared)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert int(response.headers["Content-Length"]) == len(body)
    body.decode("ascii")  # whatever the page says of its own encoding


@pytest.mark.parametrize("known", ["{}", '"other", {}', "W/{}", "*"])
def test_a_browser_that_has_it_is_told_so(shared, known):
    response, _ = get(shared)
    with pytest.raises(urllib.error.HTTPError, match="304") as told:
        get(shared, **{"If-None-Match": known.format(response.headers["ETag"])})
    with told.value as again:
        assert again.read() == b""
        assert again.headers["ETag"] == response.headers["ETag"]
        assert again.headers["Cache-Control"] == response.headers["Cache-Control"] == "public, max-age=3600"


def test_one_that_has_another_gets_it(shared):
    _, body = get(shared)
    assert get(shared, **{"If-None-Match": '"other"'})[1] == body
