// SPDX-License-Identifier: LGPL-2.1-or-later
// The board is whole without this. With it rows follow the stream of events, and ages go on.
"use strict";

const body = document.getElementById("services");

// Rows and the summary are made by the gateway, with all that services say escaped.
function element(html, inside) {
  const template = document.createElement("template");
  template.innerHTML = inside ? `<table><tbody>${html}</tbody></table>` : html;
  return template.content.querySelector(inside ? "tr" : "*");
}

function comesBefore(a, b) {
  if (a.dataset.rank !== b.dataset.rank) return Number(a.dataset.rank) < Number(b.dataset.rank);
  return a.id < b.id;
}

// Failed first, also when a row has changed: it moves to where it belongs, unless it stays there.
function put(row) {
  const old = document.getElementById(row.id);
  const focused = old && old.contains(document.activeElement);
  if (old && old.dataset.rank === row.dataset.rank) {
    old.replaceWith(row);
  } else {
    if (old) old.remove();
    row.classList.add("changed");
    const next = [...body.children].find((other) => comesBefore(row, other));
    body.insertBefore(row, next || null);
  }
  if (focused) row.querySelector("a").focus();
}

function age(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

function showAges() {
  for (const time of document.querySelectorAll("time")) {
    const text = age(Date.now() / 1000 - Number(time.dataset.usec) / 1e6);
    if (time.textContent !== text) time.textContent = text;
  }
}

async function reload() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    body.replaceChildren(...page.getElementById("services").children);
    document.getElementById("summary").replaceWith(page.getElementById("summary"));
  } catch {
    lose();
  }
}

// What is on the screen may be of yesterday: no row keeps its colour.
function lose() {
  document.body.classList.add("lost");
  for (const state of document.querySelectorAll("#services .state")) {
    state.className = "state unknown";
    state.textContent = "? unknown";
  }
  document.getElementById("summary").textContent = "The gateway cannot be reached: nothing is known.";
}

function follow() {
  const stream = new EventSource(document.body.dataset.live + location.search);
  let lost = false;
  stream.addEventListener("row", (event) => put(element(event.data, true)));
  stream.addEventListener("gone", (event) => document.getElementById(`s.${event.data}`)?.remove());
  stream.addEventListener("summary", (event) => document.getElementById("summary").replaceWith(element(event.data, false)));
  stream.addEventListener("reload", reload);
  stream.addEventListener("open", () => {
    document.body.classList.remove("lost");
    if (lost) reload();
    lost = false;
  });
  stream.addEventListener("error", () => {
    lost = true;
    lose();
  });
}

setInterval(showAges, 1000);
if (body && document.body.dataset.live) {
  follow();
  const filter = document.querySelector("#filter input");
  filter.addEventListener("input", () => {
    for (const row of body.children) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  });
}
