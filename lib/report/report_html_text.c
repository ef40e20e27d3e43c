/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_html.h"

#include <math.h>

void physad__html_raw(physad__text *out, const char *text)
{
    (void)physad__text_put(out, text, strlen(text));
}

void physad__html_format(physad__text *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    physad__html_raw(out, text);
}

void physad__html_text(physad__text *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p != '\0') {
        const size_t n = physad__utf8_character((const char *)p);
        switch (*p) {
        case '&': physad__html_raw(out, "&amp;"); break;
        case '<': physad__html_raw(out, "&lt;"); break;
        case '>': physad__html_raw(out, "&gt;"); break;
        case '"': physad__html_raw(out, "&quot;"); break;
        case '\'': physad__html_raw(out, "&#39;"); break;
        default:
            if (n == 0 || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
                physad__html_raw(out, "\xef\xbf\xbd");
            else
                (void)physad__text_put(out, (const char *)p, n);
        }
        p += n > 0 ? n : 1;
    }
}

void physad__html_number(physad__text *out, double value)
{
    if (isnan(value))
        physad__html_raw(out, "\xe2\x80\x93");
    else
        physad__html_format(out, "%.5g", value);
}

void physad__html_base64(physad__text *out, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned v = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                           (left > 2 ? (unsigned)bytes[i + 2] : 0);
        const char four[4] = { digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                               left > 2 ? digits[v & 63] : '=' };
        (void)physad__text_put(out, four, 4);
    }
}

/* In two parts, for a compiler need not take a text of more than 4,095 bytes. */
static const char page_style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1e24;--soft:#59606c;--line:#d5d9e0;--card:#f5f6f8;--accent:#1a5fb4;"
    "--bad:#a3283a;--good:#1c6b3c;--c0:#1a5fb4;--c1:#b5480a;--c2:#1c6b3c;--c3:#7b3294;--c4:#8a6a00;--c5:#00737d}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e6e8ec;--soft:#a2a9b5;--line:#3a404b;--card:#1e2127;"
    "--accent:#86b6f6;--bad:#ff94a0;--good:#7fd6a0;--c0:#86b6f6;--c1:#ffa36b;--c2:#7fd6a0;--c3:#d4a3ec;--c4:#e3c65b;"
    "--c5:#6fd3dc}}\n"
    "*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem;"
    "color:var(--fg);background:var(--bg)}h1{line-height:1.2;margin:.4rem 0}h2{margin:2.2rem 0 .4rem;padding-top:.6rem;"
    "border-top:1px solid var(--line)}h3{margin:1.4rem 0 .3rem}header p{margin:.3rem 0 .8rem}"
    "h1,h2,h3,p,dd{overflow-wrap:anywhere}\n"
    "a{color:var(--accent)}nav a{display:inline-block;padding:.35rem .8rem;margin:0 .15rem .35rem 0;border-radius:1rem;"
    "background:var(--card);border:1px solid var(--line);text-decoration:none}nav a:hover{border-color:var(--accent)}"
    "small,.soft{color:var(--soft)}:focus-visible{outline:3px solid "
    "var(--accent);outline-offset:2px}h2:focus{outline:none}"
    ".skip{position:absolute;left:-99rem}.skip:focus{left:1rem;background:var(--bg);padding:.5rem}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}"
    "th,td{padding:.35rem .55rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}"
    "thead "
    "th{vertical-align:bottom;font-size:.85rem;line-height:1.3}th:first-child,td:first-child,.left{text-align:left;"
    "max-width:18rem;overflow-wrap:break-word}td small{display:block;white-space:nowrap;font-size:.75rem}"
    ".best{font-weight:700}.best small{font-weight:400}.mean td{background:var(--card);border-bottom-width:2px}"
    ".hash{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16.5rem),1fr));gap:1rem}.plots figure{"
    "max-width:24rem}.scores{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:0 "
    "2rem}"
    "figure{margin:0}svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}"
    ".axis{stroke:var(--line);fill:none}.chance{stroke:var(--soft);stroke-dasharray:2 "
    "4;fill:none}.limit{stroke:var(--fg);"
    "stroke-width:1.5;stroke-dasharray:4 3}.curve{fill:none;stroke-width:2}.normal{fill:var(--c0)}.odd{fill:var(--c1)}"
    ".scale{max-width:24rem}.histogram{max-width:36rem}"
    ".histogram text{font-size:9px}.scale text{font-size:8px}\n"
    ".line{max-width:24rem}.m0{stroke:var(--c0)}.m1{stroke:var(--c1);stroke-dasharray:7 "
    "3}.m2{stroke:var(--c2);stroke-dasharray:2 2}"
    ".m3{stroke:var(--c3);stroke-dasharray:9 3 2 3}.m4{stroke:var(--c4);stroke-dasharray:4 4}"
    ".m5{stroke:var(--c5);stroke-dasharray:12 3}.key{display:inline-block;width:2.4rem;vertical-align:middle}\n";
static const char gallery_style[] =
    "form{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:.4rem .8rem;padding:.6rem "
    "0;background:var(--bg);"
    "border-bottom:1px solid var(--line)}form label{display:flex;flex-direction:column;font-size:.8rem;flex:1 1 8rem;"
    "min-width:0}select,input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);"
    "border-radius:.3rem;padding:.35rem;min-height:2.75rem;width:100%}output{flex-basis:100%;font-size:.85rem}\n"
    "@media(max-width:40rem){form{position:static}h1{font-size:1.6rem}}\n"
    ".cards{display:flex;flex-direction:column;gap:.8rem;margin-top:.8rem}article{background:var(--card);padding:.7rem "
    ".8rem;"
    "border:1px solid var(--line);border-radius:.4rem;content-visibility:auto;contain-intrinsic-size:auto 20rem}"
    "article[hidden]{display:none}article h3{margin:0 0 "
    ".5rem;font-size:.95rem;font-weight:600}.tag{display:inline-block;"
    "padding:0 .55rem;margin-left:.3rem;border-radius:.7rem;border:1px solid "
    "var(--line);font-size:.8rem;font-weight:400}"
    ".odd-tag{color:var(--c1);border-color:var(--c1)}.row{display:grid;gap:.7rem;align-items:start;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,8.6rem),1fr))}.row>*{max-width:16rem;min-width:0}"
    ".row>.take{grid-column:1/-1;max-width:none}"
    ".take>.row{display:flex;flex-wrap:wrap}.take>.row>*{flex:0 0 min(100%,15rem)}"
    ".take>.row>div{flex:1 1 15rem;max-width:44rem}.take>.row svg{max-width:16rem}.row p{margin:.15rem "
    "0;font-size:.9rem}"
    ".pair{display:grid;grid-template-columns:1fr 1fr;gap:.5rem;align-items:start}img{width:100%;height:auto;"
    "display:block;border-radius:.2rem;background:#888}figcaption{font-size:.8rem;line-height:1.35;color:var(--soft);"
    "overflow-wrap:anywhere;margin-top:.15rem}.wrong{color:var(--bad);font-weight:600}"
    ".right{color:var(--good)}\n"
    "@media print{form,nav{display:none}article{break-inside:avoid}}\n";

void physad__html_style(physad__text *out)
{
    physad__html_raw(out, page_style);
    physad__html_raw(out, gallery_style);
}

/* Everything works without it, but filters and orders. It reads data attributes only and makes no HTML. */
const char physad__html_script[] =
    "'use strict';(()=>{const form=document.getElementById('filters'),list=document.getElementById('cards');"
    "if(!form||!list)return;form.hidden=false;const cards=[...list.children],"
    "value=name=>form.elements[name]?form.elements[name].value:'';\n"
    "const fits=c=>{const d=c.dataset,m=value('method'),text=value('path').toLowerCase();"
    "return(value('category')===''||d.category===value('category').slice(1))&&"
    "(value('label')===''||d.label===value('label'))&&(value('type')===''||d.type===value('type').slice(1))&&"
    "(value('verdict')===''||d['v'+m]===value('verdict'))&&(text===''||d.path.toLowerCase().includes(text))};\n"
    "const show=()=>{let n=0;for(const c of cards){c.hidden=!fits(c);n+=!c.hidden}"
    "document.getElementById('shown').textContent=n+' of '+cards.length+' samples'};\n"
    "const number=c=>{const s=c.dataset['s'+value('method')];return s===undefined?NaN:"
    "s==='inf'?Infinity:s==='-inf'?-Infinity:Number(s)};\n"
    "const order=()=>{const up=value('order')==='low';cards.map((c,i)=>[c,number(c),i]).sort((a,b)=>{"
    "if(isNaN(a[1])||isNaN(b[1]))return isNaN(a[1])-isNaN(b[1])||a[2]-b[2];"
    "return(a[1]===b[1]?0:(a[1]<b[1]?-1:1)*(up?1:-1))||a[2]-b[2]}).forEach(e=>list.append(e[0]))};\n"
    "form.addEventListener('input',e=>{if(e.target.name==='method'||e.target.name==='order')order();show()});"
    "form.addEventListener('submit',e=>e.preventDefault());order();show()})();\n";
