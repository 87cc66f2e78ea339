// The page of a channel server's administration: shows what is open, makes a channel, and shows its messages.

const element = (id) => document.getElementById(id);
const REFRESH_MS = 2000;
const MOST_SHOWN = 200;

let key = "";

async function ask(path, form) {
    const response = await fetch(path, {
        method: form ? "POST" : "GET",
        headers: { Authorization: `Bearer ${key}` },
        body: form && new URLSearchParams(form),
        cache: "no-store",
    }).catch(() => {
        throw new Error("The server does not answer; what stands here is from before.");
    });
    if (!response.ok) {
        const words = (await response.text()).trim();
        throw new Error(response.status === 401 ? "This is not the administrative token." : words || response.statusText);
    }
    return response;
}

function say(error) {
    element("wrong").textContent = error ? error.message : "";
    element("wrong").hidden = !error;
}

function fill(table, rows) {
    element(table).tBodies[0].replaceChildren(
        ...rows.map((cells) => {
            const row = document.createElement("tr");
            for (const cell of cells) {
                const one = row.insertCell();
                one.textContent = cell;
                one.classList.toggle("number", typeof cell === "number");
            }
            return row;
        }),
    );
    element(table).hidden = rows.length === 0;
}

async function show() {
    const state = await (await ask("admin/state")).json();
    element("counts").textContent =
        `Channels: ${state.channel_count}; sessions: ${state.session_count}` +
        (state.complete ? "." : "; not all of them are shown.");
    fill("channels", state.channels.map((one) => [one.client_id, one.listeners, one.held]));
    fill("sessions", state.sessions.map((one) => [
        one.client_id ?? one.name, one.path, one.back_channel ? "open" : "none", one.outstanding,
    ]));
    for (const id of ["state", "try"]) element(id).hidden = false;
    element("locked").hidden = true;
}

let timer = 0;
async function refresh() {
    clearTimeout(timer);
    try {
        await show();
        say(null);
        timer = setTimeout(refresh, REFRESH_MS);
    } catch (error) {
        say(error);
    }
}

element("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    key = element("key").value;
    refresh();
});

function add(text) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const message = document.createElement("span");
    time.textContent = new Date().toLocaleTimeString();
    message.className = "message";
    message.textContent = text;
    item.append(time, message);
    const list = element("messages");
    list.append(item);
    while (list.childElementCount > MOST_SHOWN) list.firstElementChild.remove();
    item.scrollIntoView({ block: "nearest" });
}

/** Listen as an application's own page does, by the script that this server has for it. */
function listen(token) {
    const tell = (how) => { element("how").textContent = how; };
    let reason = "";
    tell("is being opened.");
    new goog.appengine.Channel(token).open({
        onopen: () => tell("is listened to."),
        onmessage: (message) => add(message.data),
        onerror: (error) => { reason = `: ${error.description || error.code}`; },
        onclose: () => {
            tell(`has ended${reason}.`);
            element("make").disabled = false;
        },
    });
}

let client = "";

element("make").addEventListener("click", async () => {
    element("make").disabled = true;
    try {
        client = `page ${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
        const token = (await (await ask("admin/create", { client_id: client })).text()).trim();
        element("client").textContent = client;
        element("channel").hidden = false;
        element("text").focus();
        say(null);
        listen(token);
    } catch (error) {
        say(error);
        element("make").disabled = false;
    }
});

element("send").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
        await ask("admin/send", { client_id: client, message: element("text").value });
        say(null);
    } catch (error) {
        say(error);
    }
});
