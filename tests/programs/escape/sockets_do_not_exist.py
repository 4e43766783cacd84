for attempt in ("socket", "urllib", "http"):
    try:
        if attempt == "socket":
            import socket
            socket.create_connection(("127.0.0.1", 80), timeout=1)
        elif attempt == "urllib":
            import urllib.request
            urllib.request.urlopen("http://127.0.0.1:80/", timeout=1)
        else:
            import http.client
            http.client.HTTPConnection("127.0.0.1", 80, timeout=1).request("GET", "/")
        print(attempt, "connected")
    except Exception:
        print(attempt, "refused")
