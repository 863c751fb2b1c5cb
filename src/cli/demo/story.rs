//! The parts of the demo, one after the other.

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Instant;

use super::Stop;
use super::files::{DISHES, Dish, PEOPLE, equal};
use super::party::{HUB, Party};
use crate::io::drive::stdout::StandardOutput;
use crate::protocol::{Event, request};
use crate::ui::units::{count, duration, rate, size};

/// The person who leaves before the others.
const LEAVER: &str = PEOPLE[0];

pub(super) fn play(party: &mut Party) -> Result<(), Stop> {
    party.headline("Three people bring four files each")?;
    prepare(party)?;
    party.headline("A hub starts, and they join it")?;
    gather(party)?;
    party.headline("Each offers four files")?;
    offer(party)?;
    party.headline("Each fetches what the others offer")?;
    let totals = fetch(party)?;
    party.headline("Every file is compared with the one that was offered")?;
    compare(party)?;
    party.headline(&format!("{LEAVER} leaves, and so do the offers"))?;
    leave(party)?;
    party.headline("The others leave, and the hub stops")?;
    stop(party)?;
    summary(&totals).map_err(Stop::Unread)
}

/// The files and bytes that were moved.
struct Totals {
    fetched: u64,
    bytes: u64,
    milliseconds: u64,
}

fn prepare(party: &mut Party) -> Result<(), Stop> {
    for person in PEOPLE {
        let dir = party.folder(person, "table");
        for dish in DISHES.iter().filter(|dish| dish.owner == person) {
            dish.make(&dir).map_err(Stop::failed(&format!("{} cannot be written", dish.name)))?;
            say(&format!("{person}: {} ({})", dish.name, size(dish.size())))?;
        }
        party.look_up()?;
    }
    Ok(())
}

fn gather(party: &mut Party) -> Result<(), Stop> {
    let serve = ["serve", "--port", "0", "--ephemeral", "--log-format", "json"];
    party.start(HUB, serve.map(OsString::from).to_vec())?;
    party.wait("the hub to listen", |party| party.link.is_some())?;
    let link = party.link.clone().unwrap_or_default();
    for (i, person) in PEOPLE.into_iter().enumerate() {
        let mut args: Vec<OsString> = ["join", link.as_str(), "--json", "--name", person].map(Into::into).to_vec();
        for (option, folder) in [("--dir", "table"), ("--downloads", "downloads"), ("--data", "data")] {
            args.extend([option.into(), party.folder(person, folder).into()]);
        }
        party.start(person, args)?;
        party.guests.entry(person).or_default();
        party.wait(&format!("{person} to be welcome"), |party| party.guests[person].welcome)?;
        // One after the other, so that the output is the same in every run.
        let people = i as u64 + 1;
        party.wait(&format!("everybody to see {person}"), |party| {
            party.guests.values().all(|guest| guest.people == Some(people))
        })?;
    }
    Ok(())
}

fn offer(party: &mut Party) -> Result<(), Stop> {
    for (i, person) in PEOPLE.into_iter().enumerate() {
        let own = DISHES.iter().filter(|dish| dish.owner == person);
        let files: Vec<String> = own.map(|dish| dish.name.to_owned()).collect();
        let offered = 4 * (i as u64 + 1);
        party.ask(person, "offer", request::Offer { files, ..request::Offer::default() })?;
        party.answer(person, "offer")?;
        party.wait(&format!("everybody to see {offered} offers"), |party| {
            party.guests.values().all(|guest| guest.total == Some(offered))
        })?;
    }
    Ok(())
}

/// Everything that each person fetches: what the others offer.
fn wishes() -> impl Iterator<Item = (&'static str, &'static Dish)> {
    PEOPLE.into_iter().flat_map(|person| {
        let others = DISHES.iter().filter(move |dish| dish.owner != person);
        others.map(move |dish| (person, dish))
    })
}

fn fetch(party: &mut Party) -> Result<Totals, Stop> {
    let started = Instant::now();
    for (person, dish) in wishes() {
        let (file, from) = (dish.name.to_owned(), Some(dish.owner.to_owned()));
        party.ask(person, dish.name, request::Get { file, from, chunks: None, to: None, on_conflict: None })?;
    }
    let mut totals = Totals { fetched: 0, bytes: 0, milliseconds: 0 };
    for (person, dish) in wishes() {
        match party.answer(person, dish.name)? {
            Event::TransferCompleted(done) if done.size == dish.size() => {
                totals.fetched += 1;
                totals.bytes += done.size;
            }
            other => return Err(Stop::Failed(format!("{person} was told of {}: {other:?}", dish.name))),
        }
    }
    totals.milliseconds = started.elapsed().as_millis() as u64;
    Ok(totals)
}

fn compare(party: &mut Party) -> Result<(), Stop> {
    for person in PEOPLE {
        let mut compared = 0;
        for (_, dish) in wishes().filter(|(fetcher, _)| *fetcher == person) {
            let offered = party.folder(dish.owner, "table").join(dish.name);
            let fetched = party.folder(person, "downloads").join(dish.name);
            let cannot = Stop::failed(&format!("{person}'s {} cannot be compared", dish.name));
            if !equal(&offered, &fetched).map_err(cannot)? {
                let (file, owner) = (dish.name, dish.owner);
                return Err(Stop::Failed(format!("{person}'s {file} is not what {owner} offered")));
            }
            compared += 1;
            party.look_up()?;
        }
        say(&format!("{person}: {} equal, byte for byte", count(compared, "file")))?;
    }
    Ok(())
}

fn leave(party: &mut Party) -> Result<(), Stop> {
    party.ask(LEAVER, "quit", request::Quit { now: false })?;
    party.see_off(LEAVER)?;
    party.guests.remove(LEAVER);
    let left = DISHES.iter().filter(|dish| dish.owner != LEAVER).count();
    party.wait(&format!("everybody to see that {LEAVER} has left"), |party| {
        party.guests.values().all(|guest| guest.total == Some(left as u64) && guest.people == Some(2))
    })?;
    let witness = PEOPLE[1];
    party.ask(witness, "list", request::List::default())?;
    match party.answer(witness, "list")? {
        Event::Table(table) if table.offers.len() == left && table.offers.iter().all(|o| o.owner != LEAVER) => {}
        other => return Err(Stop::Failed(format!("{LEAVER} has left, but {witness} is told {other:?}"))),
    }
    party.ask(witness, "who", request::Who::default())?;
    match party.answer(witness, "who")? {
        Event::Roster(roster) if roster.clients.iter().all(|client| client.name != LEAVER) => Ok(()),
        other => Err(Stop::Failed(format!("{LEAVER} has left, but {witness} is told {other:?}"))),
    }
}

fn stop(party: &mut Party) -> Result<(), Stop> {
    for person in PEOPLE.into_iter().filter(|person| *person != LEAVER) {
        party.process(person)?.end_input();
        party.see_off(person)?;
    }
    party.process(HUB)?.terminate().map_err(Stop::failed("the hub cannot be stopped"))?;
    party.see_off(HUB)
}

fn summary(totals: &Totals) -> io::Result<()> {
    let Totals { fetched, bytes, milliseconds } = *totals;
    let speed = rate(bytes.saturating_mul(1000) / milliseconds.max(1));
    let (offered, people) = (DISHES.len(), PEOPLE.len());
    let offered_bytes = size(DISHES.iter().map(Dish::size).sum());
    let mut out = StandardOutput;
    writeln!(out, "\nOffered: {offered} files by {people} people, {offered_bytes}.")?;
    writeln!(out, "Fetched: {fetched} files, {} in {} ({speed}).", size(bytes), duration(milliseconds))?;
    writeln!(out, "All {fetched} files are equal, byte for byte.")
}

fn say(text: &str) -> Result<(), Stop> {
    writeln!(StandardOutput, "{text}").map_err(Stop::Unread)
}
