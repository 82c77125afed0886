package desk

import "nabat/gateway/words"

func english() words.Words {
	return words.Words{
		"title": "Dispatch", "menu": "Pages", "menu.skip": "To the content", "menu.alerts": "Alerts", "menu.gateways": "Gateways", "menu.history": "History",
		"menu.people": "Operators and teams", "menu.audit": "Audit log", "logout": "Log out", "noscript": "This page needs JavaScript: without it no alert can be shown.",
		"cancel": "Cancel", "save": "Save", "show": "Show", "all": "all", "from": "from", "to": "to", "older": "Older",
		"unit.ms": "{n} ms", "unit.s": "{n} s", "unit.min": "{n} min", "unit.h": "{n} h", "unit.d": "{n} days",

		"login.title": "Log in", "login.name": "Log-in name", "login.password": "Password", "login.enter": "Log in", "login.out": "You have logged out.",
		"login.wrong": "The name or the password is wrong.", "login.broken": "The dispatch database does not answer. Try again.",
		"n.login.locked": "Too many wrong passwords. Try again in {n} second.|Too many wrong passwords. Try again in {n} seconds.",

		"live.connecting": "Connecting", "live.live": "Live", "live.stale": "No connection", "stale": "No connection to the dispatch service.",
		"stale.age": "What you see is {t} old and may be wrong.", "ends.soon": "Your session ends in {t}. Move the mouse or press a key to stay.",
		"ends.over": "Your session has ended.", "ends.login": "Log in again",
		"sound.on": "Turn sound on", "sound.off": "Turn sound off",

		"alerts.title": "Open alerts", "alerts.none": "No open alerts", "n.more": "and {n} more open alert|and {n} more open alerts",
		"gateways.title": "Gateways", "gateways.summary": "{online} of {all} can be reached",
		"status.Exercise": "EXERCISE", "status.Test": "TEST",
		"n.presses":    "{n} press|{n} presses",
		"time.pressed": "Pressed", "time.saved": "Saved in the school", "time.delivered": "Delivered here",
		"clock.unknown": "clock unknown", "clock.corrected": "clock corrected afterwards", "clock.estimated": "clock unknown: not later than this",
		"clock.right": "right", "clock.unsynced": "not synchronised", "clock.off": "off by {t}",
		"late": "LATE: call back, do not send blindly.", "late.by": "LATE by {t}: call back, do not send blindly.", "late.short": "late",
		"reach.online": "The gateway can be reached now", "reach.silent": "The gateway went silent at {time}, {ago} ago", "reach.never": "The gateway was never heard of", "reach.heard": "heard at {time}",
		"taken.by": "Taken by {who} at {time}", "taken.before": "{who} took it at {time}, but it was pressed again since", "taken.school": "Accepted in the school: {who}", "who.none": "not named",
		"team.arrived": "{team} arrived at {time}", "team.eta": "{team} is on the way, expected at {time}{phone}", "team.overdue": "{team} is overdue, expected at {time}{phone}", "team.way": "{team} is on the way{phone}",
		"team.title": "Send a team", "team.which": "Team", "team.minutes": "Minutes until it arrives", "team.send": "Send the team",
		"clear.title": "Close this alert", "clear.outcome": "How did it end?", "clear.why": "What happened", "clear.hint": "No names of pupils, please. The school reads this.", "clear.send": "Close the alert",
		"act.take": "I am taking this", "act.team": "Send a team", "act.arrived": "The team has arrived", "act.clear": "Close",
		"verb.acknowledge": "“Taken”", "verb.responding": "“Team on the way”", "verb.arrived": "“Team arrived”", "verb.clear": "“Close”", "verb.announce": "Announcement", "verb.drill-start": "Start of the drill", "verb.drill-end": "End of the drill", "verb.config-pull": "New configuration", "verb.keys": "Change of keys",
		"order.accepted": "{verb}: the school has it ({time})", "order.refused": "{verb}: the school refused: {reason}", "order.expired": "{verb}: expired without an answer (given at {time}). Give it again or call.",
		"order.never": "{verb}: not delivered, the gateway was never heard of", "order.offline": "{verb}: not yet delivered, the gateway is offline since {time}", "order.waiting": "{verb}: waiting to be sent", "order.sent": "{verb}: sent to the school at {time}, no answer yet",
		"closed.line": "Closed: {outcome}. {who}. {why}",
		"state.open":  "open", "state.closed": "closed",
		"done.taken": "You have taken this alert. The school is being told.", "done.sent": "Given. Whether the school has it is shown below.", "done.saved": "Saved.",

		"orders.title": "Commands to the school", "orders.none": "None yet", "timeline.title": "What happened", "history.none": "Nothing found",
		"col.at": "When", "col.who": "Who", "col.what": "What", "col.state": "State", "col.event": "Event", "col.detail": "Details", "col.made": "Made at the school", "col.delay": "Delay", "col.links": "Links", "col.id": "Id",
		"col.school": "School", "col.heard": "Last heard", "col.conditions": "Conditions", "col.queue": "Waiting there", "col.clock": "Clock", "col.open": "Open alerts", "col.status": "Status", "col.place": "Place", "col.object": "Object",
		"detail.point": "Button", "detail.to": "asked", "detail.who": "by", "detail.why": "why", "detail.eta": "expected",
		"event.alert.raised": "Pressed", "event.alert.escalated": "Escalated", "event.alert.received": "Receipt shown", "event.alert.acknowledged": "Taken", "event.alert.responding": "Team on the way", "event.alert.arrived": "Team arrived", "event.alert.cleared": "Closed", "event.drill.started": "Drill began", "event.drill.ended": "Drill ended", "event.command.accepted": "Command accepted", "event.command.refused": "Command refused",
		"queue.empty": "nothing", "queue.last": "last known", "queue.oldest": "the oldest for {t}", "n.queue": "{n} event|{n} events", "gateway.revoked": "Its credentials were withdrawn at {time}", "gateway.forked": "Two different events came under one number at {time}: its disk was copied or restored",
		"gateways.add": "Gateways are registered on the server: nabat-dispatch gateway add SITE/GATEWAY.",

		"announce.title": "Announcement", "announce.screens": "Screens", "announce.screens.hint": "Ids with commas; empty means everywhere.", "announce.say": "Say it over the loudspeakers as well", "announce.zones": "Zones of the loudspeakers", "announce.zones.hint": "Ids with commas; empty means everywhere.", "announce.minutes": "Minutes", "announce.send": "Announce",
		"drill.title": "Drill", "drill.about": "Starts an alert that is marked as an EXERCISE everywhere. A real press always breaks through it.", "drill.kind": "Kind", "drill.level": "Level", "drill.place": "Place", "drill.place.hint": "The id of the place, as the school's configuration has it.", "drill.sure": "The school knows of the drill and has agreed to it", "drill.start": "Start the drill", "drill.end": "End all drills of this school",
		"config.title": "Configuration", "config.about": "The gateway fetches it, checks it, and keeps the old one when the new one is wrong.", "config.file": "File (TOML)", "config.text": "or text", "config.send": "Assign, and ask the gateway to fetch it",
		"audit.verify": "Check the chain", "audit.whole": "The chain is whole: {n} entries.", "audit.broken": "The log has been changed: {error}",
		"operators.title": "Operators", "people.change": "Account", "people.password": "New password", "people.disabled": "disabled", "people.name": "Name", "people.role": "Role", "people.operator": "operator", "people.admin": "admin", "people.add": "Add",
		"teams.title": "Mobile teams", "teams.name": "Name", "teams.phone": "Telephone", "teams.retired": "retired",

		"error.session": "Your session has ended. Log in again.", "error.token": "This form is out of date. Reload the page and try again.", "error.admin": "Only an admin may do this.", "error.broken": "Not done: the dispatch database does not answer. Try again.",
		"error.revoked": "The gateway's credentials were withdrawn: no command can reach it. Call.", "error.untold": "You have taken this alert, but the school could not be told. Try again.",
		"error.unknown": "There is nothing at this address.", "error.form": "The form is incomplete or wrong. Nothing was done.", "error.closed": "This alert is closed already ({who}).", "error.taken": "{who} has taken this alert already, at {time}.",
		"error.team": "Choose a team and the minutes until it arrives.", "error.outcome": "Choose how it ended.", "error.why": "Write what happened.", "error.unsure": "No answer in time. Look at the alert before you try again.",
		"error.announce.empty": "Write the text in one language at the least.", "error.announce.long": "An announcement may have {n} characters.", "error.drill.sure": "Confirm that the school has agreed to the drill.",
		"error.config.empty": "Choose a file or write the configuration.", "error.config.long": "A configuration is text of at most {n} KiB.", "error.exists": "This name is taken already.", "error.invalid": "This cannot be saved: look at the length of the password and the names. The last admin stays one.",

		"js.new": "New alert: {what}, {where}", "js.ago": "{t} ago", "js.since.stored": "since delivery", "js.nobody": "Nobody has taken it", "js.sending": "Sending…", "js.open": "Details",
		"n.js.open": "{n} open|{n} open",
	}
}
