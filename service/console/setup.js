"use strict";
const form = document.getElementById("form");
const message = document.getElementById("message");
// The part behind the # is not sent to any server; it leaves the address bar and the history here.
const code = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

function field(id) {
  return document.getElementById(id);
}

function say(text) {
  message.textContent = text;
}

async function send() {
  const answer = await fetch("/v1/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      code: code,
      name: field("name").value,
      email: field("email").value,
      password: field("password").value,
    }),
  });
  const document = await answer.json();
  if (answer.status !== 201) {
    say((document.errors || []).map((each) => `${each.pointer || ""} ${each.detail}`).join(" ") || document.detail);
    return;
  }
  form.hidden = true;
  say(`${document.email} is the administrator. From now on every request needs a token.`);
  field("token").value = document.token;
  field("command").value = `curl -s ${location.origin}/v1/users -H "Authorization: Bearer ${document.token}"`;
  field("done").hidden = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (field("password").value !== field("again").value) {
    say("The two passwords differ.");
    return;
  }
  say("");
  send().catch(() => say("The service does not answer; try again."));
});

if (code) {
  form.hidden = false;
} else {
  say("The address is not complete: copy the whole address that `roster serve` printed, with what is behind the #.");
}
