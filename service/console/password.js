"use strict";
const form = document.getElementById("form");
const message = document.getElementById("message");
// The part behind the # is not sent to any server; it leaves the address bar and the history here.
const token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

function say(text) {
  message.textContent = text;
}

async function send(password) {
  const answer = await fetch("/v1/password-links", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: token, new_password: password }),
  });
  if (answer.status === 204) {
    form.hidden = true;
    say("Your password is set. You can log in with it now.");
    return;
  }
  const problem = await answer.json();
  say((problem.errors || []).map((each) => each.detail).join(" ") || problem.detail);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const password = document.getElementById("password").value;
  if (password !== document.getElementById("again").value) {
    say("The two passwords differ.");
    return;
  }
  say("");
  send(password).catch(() => say("The service does not answer; try again."));
});

if (token) {
  form.hidden = false;
} else {
  say("The address is not complete: copy the whole link, with what stands behind the #.");
}
