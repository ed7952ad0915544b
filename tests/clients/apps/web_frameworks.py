"""Web functions of frameworks that take a while to install; tests/soak/web.test.ts asks them."""

import sys

import modal

base = modal.Image.debian_slim(python_version="3.11")
app = modal.App("frameworks")


@app.function(image=base.pip_install("django==5.2.19"))
@modal.concurrent(max_inputs=10)
@modal.wsgi_app()
def django():
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, JsonResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    @csrf_exempt
    def form(request):
        return JsonResponse({"method": request.method, "sent": request.POST.dict(), "secure": request.is_secure()})

    def cookie(request):
        answer = HttpResponse(request.COOKIES.get("seen", "never"))
        answer.set_cookie("seen", "before")
        return answer

    web = type(sys)("web_of_django")
    web.urlpatterns = [path("form/", form), path("cookie/", cookie)]
    sys.modules["web_of_django"] = web
    settings.configure(ROOT_URLCONF="web_of_django", ALLOWED_HOSTS=["*"], SECRET_KEY="s", DEBUG=False)
    return get_wsgi_application()


@app.function(image=base.pip_install("starlette==1.10.0"))
@modal.concurrent(max_inputs=10)
@modal.asgi_app()
def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.routing import Route, WebSocketRoute

    async def home(request):
        return PlainTextResponse(f"{request.url.scheme} {request.path_params['name']}")

    async def away(request):
        return RedirectResponse(request.url_for("home", name="here"))

    async def socket(ws):
        await ws.accept()
        await ws.send_json({"got": await ws.receive_text()})
        await ws.close(4003)

    return Starlette(
        routes=[Route("/home/{name}", home, name="home"), Route("/away", away), WebSocketRoute("/socket", socket)]
    )
