//! The words of short codes: plain nouns that are spelled as they are said, and that nobody takes for one another.

/// The words, sorted. A word stands for its place, so that two of them are 16 bits. None is ever moved or replaced: codes
/// that were made by another version would be read wrong.
#[rustfmt::skip]
pub(super) const WORDS: [&str; 256] = [
    "acrobat", "airplane", "almond", "anchor", "antenna", "apricot", "aquarium", "archive", "asteroid", "autumn",
    "avalanche", "awning", "backpack", "badger", "balcony", "bamboo", "bandage", "barefoot", "basketball", "beehive",
    "bicycle", "billboard", "biscuit", "blizzard", "blueprint", "bonfire", "bookshelf", "bracelet", "breakfast",
    "broccoli", "bulldozer", "buttercup", "butterfly", "cabbage", "cactus", "calendar", "campfire", "candle",
    "canyon", "carousel", "cinnamon", "clockwork", "coconut", "compass", "copper", "cotton", "cowboy", "cranberry",
    "crossover", "crystal", "cucumber", "cupboard", "cushion", "cyclone", "dashboard", "daylight", "diamond",
    "dinosaur", "dolphin", "domino", "doorbell", "dragonfly", "driftwood", "dumpling", "eagle", "earring", "eclipse",
    "eggplant", "elephant", "elevator", "emerald", "envelope", "evergreen", "explorer", "feather", "festival",
    "fiddle", "firefly", "flamingo", "flashlight", "flute", "football", "forest", "fountain", "freckle", "galaxy",
    "garlic", "gazelle", "geyser", "giraffe", "glacier", "goldfish", "gondola", "grapefruit", "gravel", "greenhouse",
    "guitar", "hailstorm", "hamster", "harbor", "hazelnut", "hedgehog", "helicopter", "hexagon", "highway", "hilltop",
    "honeycomb", "horizon", "hurricane", "iceberg", "igloo", "indigo", "inkwell", "island", "ivory", "jackpot",
    "jaguar", "jasmine", "jellyfish", "jigsaw", "journal", "juggler", "juniper", "kangaroo", "kayak", "keyboard",
    "kingdom", "kitten", "koala", "lagoon", "lantern", "lavender", "lemonade", "leopard", "lighthouse", "lobster",
    "locksmith", "lollipop", "lumberjack", "magnet", "mailbox", "marble", "marigold", "meadow", "melon", "mermaid",
    "midnight", "milkshake", "mirror", "monsoon", "mosaic", "mushroom", "napkin", "necklace", "needle", "nickel",
    "nightfall", "notebook", "oatmeal", "octopus", "olive", "onion", "opera", "orchard", "overcoat", "oxygen",
    "palace", "pancake", "parachute", "parsley", "passport", "peacock", "pebble", "pelican", "pendulum", "piano",
    "pineapple", "pocket", "popcorn", "porcupine", "pottery", "pudding", "pumpkin", "puzzle", "pyramid", "quarry",
    "quicksand", "quilt", "rabbit", "radish", "rainbow", "raspberry", "ravine", "reindeer", "ribbon", "riverbank",
    "robot", "rosemary", "runway", "sailor", "sandwich", "sapphire", "satellite", "scarecrow", "scissors", "seashell",
    "shepherd", "sidewalk", "silver", "skyline", "snowflake", "sparrow", "spinach", "squirrel", "starfish",
    "submarine", "sunflower", "swordfish", "syrup", "tadpole", "tambourine", "tangerine", "teapot", "telescope",
    "thunder", "tiger", "toboggan", "toothpick", "tornado", "tractor", "trumpet", "tugboat", "tulip", "typewriter",
    "umbrella", "unicorn", "vacuum", "valley", "vanilla", "velvet", "village", "vinegar", "violet", "volcano",
    "voyage", "waffle", "walnut", "waterfall", "weekend", "whisper", "wildfire", "windmill", "woodpecker",
    "wristwatch", "zebra", "zigzag",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_no_slip_of_a_letter_makes_one_another() {
        for (place, word) in WORDS.iter().enumerate() {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
            assert!((5..=10).contains(&word.len()), "{word} is too short to be heard, or too long to be typed");
            for other in &WORDS[place + 1..] {
                assert!(word < other, "{word} and {other} are out of order, or the same");
                assert!(strsim::damerau_levenshtein(word, other) > 1, "{word} and {other}");
            }
        }
    }
}
