// Listens to one channel of the talk dialect with fetch(): opens a session, says that it is there, and reads back
// channels, one after the other, until the session has ended.

const RETRY_MS = 1000;

/** The chunks of a response's body: a length in UTF-16 units, a line feed, so much text. */
async function* chunks(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const end = text.indexOf("\n");
        const length = end < 0 ? Infinity : Number(text.slice(0, end));
        if (text.length - end - 1 >= length) {
            // What the server writes is JSON, but for one hole in the first array.
            yield JSON.parse(text.slice(end + 1, end + 1 + length).replace(",,", ",null,"));
            text = text.slice(end + 1 + length);
            continue;
        }
        const { done, value } = await reader.read();
        if (done) return;
        text += value;
    }
}

async function answered(response) {
    if (!response.ok) throw new Error((await response.text()).trim() || response.statusText);
    return response;
}

/**
 * Listen until the session has ended.
 *
 * @param {string} base  where the talk dialect stands, such as "talkgadget"
 * @param {string} token  what the channel was created with
 * @param {(text: string) => void} onMessage  is given each message
 * @param {(how: string) => void} onState  is given what to tell a person
 */
export async function listen(base, token, onMessage, onState) {
    const clid = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    const query = (more) => new URLSearchParams({ VER: 8, token, clid, prop: "data", ...more });
    const bind = `${base}/dch/bind?`;
    const post = async (more, form) =>
        answered(await fetch(bind + query(more), { method: "POST", body: new URLSearchParams(form) }));
    let sid = "";
    let aid = -1;
    for await (const arrays of chunks(await post({ RID: 1 }, { count: 0 }))) {
        for (const [id, data] of arrays) {
            if (id === 0) sid = data[1];
            aid = id;
        }
    }
    await post({ RID: 2, SID: sid, AID: aid }, {
        count: 1, ofs: 0, req0_m: '["connect-add-client"]', req0_c: clid, req0__sc: "c",
    });
    onState("is listened to.");
    for (;;) {
        try {
            const response = await fetch(bind + query({ RID: "rpc", SID: sid, AID: aid, CI: 0, TYPE: "xmlhttp" }));
            if (response.status === 400 || response.status === 401) {
                onState("has ended: " + (await response.text()).trim());
                return;
            }
            await answered(response);
            onState("is listened to.");
            for await (const arrays of chunks(response)) {
                for (const [id, data] of arrays) {
                    if (id <= aid) continue;
                    aid = id;
                    if (data[0] === "stop") {
                        onState("has ended.");
                        return;
                    }
                    if (data[0] === "c" && data[1][1][0] === "ae") onMessage(data[1][1][1]);
                }
            }
        } catch {
            onState("is out of reach; trying again.");
            await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
    }
}
