#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the page of an evaluation in Chromium without a screen: the script runs under the page's own policy, filters and order
work, nothing sticks out at a phone's width. Skips (77) without Chromium. With PHYSAD_TEST_SHOTS=DIR it also takes pictures there."""
import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A second page that holds the first in a frame of a phone's width, works its filters and writes down what it saw.
PROBE = """<!doctype html><meta charset="utf-8"><iframe id="f" width="390" height="800" src="report.html"></iframe><pre id="out"></pre><script>
addEventListener('load',()=>{const d=document.getElementById('f').contentDocument,form=d.getElementById('filters'),out={};
const cards=()=>[...d.querySelectorAll('article')].filter(c=>!c.hidden);
const set=(name,value)=>{form.elements[name].value=value;form.elements[name].dispatchEvent(new Event('input',{bubbles:true}))};
out.form=!form.hidden;out.all=cards().length;out.shown=d.getElementById('shown').textContent;
set('label','0');out.normal=cards().length;out.pure=cards().every(c=>c.dataset.label==='0');set('label','');
set('category','=<script>alert(1)<\\/script>');out.hostile=cards().length;set('category','');
set('order','low');set('method','1');const s=cards().map(c=>Number(c.dataset.s1));out.rises=s.every((v,i)=>i===0||s[i-1]<=v);
set('path','no such path');out.none=cards().length;set('path','');
out.broken=[...d.images].filter(i=>i.complete&&i.naturalWidth===0).length;
out.overflow=d.documentElement.scrollWidth-d.documentElement.clientWidth;
document.getElementById('out').textContent='FACTS'+JSON.stringify(out)+'END'});</script>"""


def run(*args):
    return subprocess.run([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                           "--allow-file-access-from-files", *args], capture_output=True, text=True, timeout=120)


def main():
    if BROWSER is None:
        print("no Chromium")
        return 77
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        subprocess.run([sys.argv[1], place], check=True)
        (place / "probe.html").write_text(PROBE)
        profile = f"--user-data-dir={place}/profile"
        done = run(profile, "--virtual-time-budget=4000", "--dump-dom", (place / "probe.html").as_uri())
        found = re.search(r'<pre id="out">FACTS(.*?)END</pre>', done.stdout, re.S)
        if found is None:
            print(done.stdout[-3000:], done.stderr[-3000:])
            return 1
        facts = json.loads(html.unescape(found.group(1)))
        want = {"form": True, "all": 40, "shown": "40 of 40 samples", "normal": 20, "pure": True, "hostile": 20, "rises": True,
                "none": 0, "broken": 0, "overflow": 0}
        for key, value in want.items():
            if facts.get(key) != value:
                print(f"{key}: got {facts.get(key)}, want {value}")
        shots = os.environ.get("PHYSAD_TEST_SHOTS")
        for width, device in ((1280, "desktop"), (500, "phone")) if shots else ():
            for scheme in ("light", "dark"):
                dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else ["--blink-settings=preferredColorScheme=1"]
                run(profile, *dark, f"--window-size={width},9000", f"--screenshot={shots}/{device}-{scheme}.png",
                    (place / "report.html").as_uri())
        return 0 if all(facts.get(k) == v for k, v in want.items()) else 1


sys.exit(main())
