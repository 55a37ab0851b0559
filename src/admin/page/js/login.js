// Exchanges the token for a cookie that scripts cannot read. The token is sent once, in a body, and never
// stands in a URL.
const form = document.getElementById("login");
const token = document.getElementById("token");
const wrong = document.getElementById("wrong");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  wrong.textContent = "";
  try {
    const answer = await fetch("login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value.trim() }),
    });
    if (answer.ok) {
      // The fragment holds the filters; the browser keeps it from the page that led here.
      location.replace("./" + location.hash);
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    wrong.textContent = problem.detail || `The gateway answered ${answer.status}.`;
  } catch {
    wrong.textContent = "The gateway does not answer.";
  }
  button.disabled = false;
  token.select();
});
