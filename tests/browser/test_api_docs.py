"""The API's documentation, in a browser that reaches nothing but this server."""

from tests.waiting import PATIENCE_SECONDS, until


def test_the_api_s_documentation_opens_without_the_internet(chromium, server):
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    wrong, asked = [], []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else 0)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/docs")
    until(lambda: page.locator(".opblock").count() > 20)
    assert wrong == []
    assert all(url.startswith((server.url, "data:", "blob:")) for url in asked)
    page.close()
