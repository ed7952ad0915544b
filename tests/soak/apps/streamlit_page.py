"""Streamlit as a server of its own, as its users start it."""

import subprocess

import modal

page = """
import streamlit

streamlit.title("Well")
name = streamlit.text_input("Name", "all")
streamlit.write(f"Hello {name}")
"""
image = modal.Image.debian_slim(python_version="3.11").pip_install("streamlit==1.49.1")
app = modal.App("page", image=image)


@app.function()
@modal.concurrent(max_inputs=100)
@modal.web_server(8000, startup_timeout=60)
def streamlit():
    with open("/root/page.py", "w") as file:
        file.write(page)
    options = "--server.port 8000 --server.headless true --server.enableCORS=false --server.enableXsrfProtection=false"
    subprocess.Popen(f"streamlit run /root/page.py {options}", shell=True)
