#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the page of a scene in Chromium without a screen: the picture is the library's own, pointers, wheel and keys turn it and bring it
back, nothing is loaded, the console stays empty. Skips (77) without Chromium or its WebGL 2. With PHYSAD_TEST_SHOTS=DIR it also takes a
picture there.

    check_scene.py PHYSAD
"""
import functools
import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTH, HEIGHT = 320, 240
# A page that holds the scene in a frame and compares what it draws with the library's picture.
PROBE = """<!doctype html><meta charset="utf-8"><iframe id="f" width="%d" height="%d" style="border:0" src="scene.html"></iframe>
<img id="want" src="want.png"><script>
addEventListener('load',async()=>{const w=document.getElementById('f').contentWindow,d=w.document,view=d.getElementById('view'),out={};
const tell=()=>fetch('facts',{method:'POST',body:JSON.stringify(out)});
out.note=d.getElementById('note').textContent;if(!view.dataset||!view.getContext('webgl2')){out.none=true;return tell()}
const pixels=source=>{const c=document.createElement('canvas');c.width=%d;c.height=%d;const g=c.getContext('2d',{willReadFrequently:true});
g.drawImage(source,0,0,c.width,c.height);return g.getImageData(0,0,c.width,c.height).data};
const apart=(a,b)=>{let sum=0,n=0;for(let i=0;i<a.length;i++)if(i%%4<3){sum+=Math.abs(a[i]-b[i]);n++}return sum/n/255};
const frame=async act=>{const was=Number(view.dataset.drawn||0);act();for(let i=0;i<999&&Number(view.dataset.drawn||0)===was;i++)
await new Promise(r=>setTimeout(r,20));return pixels(view)};
for(let i=0;i<999&&!view.dataset.drawn;i++)await new Promise(r=>setTimeout(r,20));
const want=pixels(document.getElementById('want')),first=pixels(view),point=(name,x,y,more)=>view.dispatchEvent(
new w.PointerEvent(name,{pointerId:1,clientX:x,clientY:y,buttons:1,bubbles:true,...more})),key=k=>view.dispatchEvent(
new w.KeyboardEvent('keydown',{key:k,bubbles:true}));
out.size=[view.width,view.height];out.first=apart(first,want);out.black=apart(want,want.map(()=>0));
out.turned=apart(await frame(()=>{point('pointerdown',100,100);point('pointermove',180,120);point('pointerup',180,120)}),first);
out.moved=apart(await frame(()=>{point('pointerdown',100,100);point('pointermove',150,120,{buttons:2});point('pointerup',150,120)}),first);
out.back=apart(await frame(()=>key('0')),first);
out.nearer=apart(await frame(()=>view.dispatchEvent(new w.WheelEvent('wheel',{deltaY:-90,cancelable:true}))),first);
await frame(()=>key('0'));out.pinched=apart(await frame(()=>{point('pointerdown',100,100);point('pointerdown',200,100,{pointerId:2});
point('pointermove',60,100);point('pointerup',60,100);point('pointerup',200,100,{pointerId:2})}),first);
await frame(()=>key('0'));out.keyed=apart(await frame(()=>key('ArrowLeft')),first);
out.home=apart(await frame(()=>key('0')),first);
view.focus();out.focus=d.activeElement===view;out.loaded=w.performance.getEntriesByType('resource').map(e=>e.name);
tell()});</script>""" % (WIDTH, HEIGHT, WIDTH, HEIGHT)


class Pages(http.server.SimpleHTTPRequestHandler):
    """The folder's files to this machine alone; what the probe posts is kept."""

    facts, asked = queue.Queue(), []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def do_POST(self):
        self.facts.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def browse(profile, *args):
    return subprocess.Popen([BROWSER, "--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage", "--use-angle=swiftshader",
                             "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--enable-logging=stderr",
                             f"--user-data-dir={profile}", *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def facts_of(place):
    """What the probe found, and what the browser's console said."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=place))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = browse(place / "profile", "--window-size=700,600", "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/probe.html")
    try:
        facts = json.loads(Pages.facts.get(timeout=100))
    finally:
        browser.terminate()
        said = browser.communicate(timeout=30)[1]
        server.shutdown()
    facts["console"] = [line for line in said.splitlines() if ":CONSOLE" in line and "GPU stall" not in line]
    facts["asked"] = sorted(set(Pages.asked) - {"/favicon.ico"})
    return facts


def main():
    if BROWSER is None:
        print("no Chromium")
        return 77
    physad, camera = sys.argv[1], ["--from", "2.3,-2.2,1.8", "--to", "0,0,0.9", "--up", "0,0,1", "--width", str(WIDTH), "--height", str(HEIGHT)]
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)

        def run(*args):
            subprocess.run([physad, *map(str, args)], check=True, stdout=subprocess.DEVNULL)

        run("synth", "rad", place / "set", "--category", "can", "--train-views", 12, "--test-views", 1, "--instances", 1, "--instance-views", 1,
            "--size", "96x72")
        run("scene", "fit", place / "set/can", "-o", place / "s.ply", "--steps", 200, "--random-points", 1500, "--harmonics", 1)
        run("scene", "render", place / "s.ply", "-o", place / "want.png", *camera)
        run("scene", "view", place / "s.ply", "-o", place / "scene.html", "--title", "</title><script>alert(1)</script>", *camera)
        (place / "probe.html").write_text(PROBE)
        facts = facts_of(place)
        print(facts)
        if facts.get("none"):
            print("no WebGL 2 in this browser")
            return 77
        wrong = [key for key, good in {
            "size": facts["size"] == [WIDTH, HEIGHT], "first": facts["first"] < 0.01, "black": facts["black"] > 0.05,
            "turned": facts["turned"] > 0.02, "moved": facts["moved"] > 0.02, "back": facts["back"] == 0, "nearer": facts["nearer"] > 0.005,
            "pinched": facts["pinched"] > 0.005, "keyed": facts["keyed"] > 0.005, "home": facts["home"] == 0, "focus": facts["focus"],
            "loaded": facts["loaded"] == [],
            "asked": facts["asked"] == ["/probe.html", "/scene.html", "/want.png"], "console": facts["console"] == [], "note": "<script>alert(1)" in facts["note"],
        }.items() if not good]
        shots = os.environ.get("PHYSAD_TEST_SHOTS")
        if shots:
            browse(place / "profile", "--window-size=960,720", f"--screenshot={shots}/scene.png", (place / "scene.html").as_uri()).communicate(timeout=100)
        if wrong:
            print("wrong: " + ", ".join(wrong))
        return 1 if wrong else 0


sys.exit(main())
