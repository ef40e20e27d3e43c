#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the page of an evaluation in Chromium without a screen: the script runs under the page's own policy, filters and order
work, all controls can be reached by keys, the console stays empty, light and dark differ, nothing sticks out at a phone's width. Skips (77) without Chromium. With PHYSAD_TEST_SHOTS=DIR it also takes pictures there."""
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
SCHEMES = {"light": "--blink-settings=preferredColorScheme=1", "dark": "--blink-settings=preferredColorScheme=0"}
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
const keys=[...d.querySelectorAll('a[href],select,input,summary,.wide')];out.keys=keys.length>9&&keys.every(e=>{
e.focus();return d.activeElement===e});const jump=d.querySelector('.skip').getAttribute('href').slice(1);
d.getElementById(jump).focus();out.jump=d.activeElement.id;
out.ground=getComputedStyle(d.body).backgroundColor;
document.getElementById('out').textContent='FACTS'+JSON.stringify(out)+'END'});</script>"""


def run(*args):
    return subprocess.run([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                           "--allow-file-access-from-files", "--enable-logging=stderr", *args], capture_output=True, text=True, timeout=120)


def main():
    if BROWSER is None:
        print("no Chromium")
        return 77
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        subprocess.run([sys.argv[1], place], check=True)
        (place / "probe.html").write_text(PROBE)
        profile = f"--user-data-dir={place}/profile"
        want = {"form": True, "all": 40, "shown": "40 of 40 samples", "normal": 20, "pure": True, "hostile": 20, "rises": True,
                "none": 0, "broken": 0, "overflow": 0, "keys": True, "jump": "gallery", "console": []}
        good, grounds = True, set()
        for scheme in SCHEMES.values():
            done = run(profile, scheme, "--virtual-time-budget=4000", "--dump-dom", (place / "probe.html").as_uri())
            found = re.search(r'<pre id="out">FACTS(.*?)END</pre>', done.stdout, re.S)
            if found is None:
                print(done.stdout[-3000:], done.stderr[-3000:])
                return 1
            facts = json.loads(html.unescape(found.group(1)))
            facts["console"] = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
            grounds.add(facts["ground"])
            for key, value in want.items():
                if facts.get(key) != value:
                    print(f"{key}: got {facts.get(key)}, want {value}")
                    good = False
        if len(grounds) != 2:
            print(f"light and dark look alike: {grounds}")
            good = False
        shots = os.environ.get("PHYSAD_TEST_SHOTS")
        for width, device in ((1280, "desktop"), (500, "phone")) if shots else ():
            for name, scheme in SCHEMES.items():
                run(profile, scheme, f"--window-size={width},9000", f"--screenshot={shots}/{device}-{name}.png",
                    (place / "report.html").as_uri())
        return 0 if good else 1


sys.exit(main())
