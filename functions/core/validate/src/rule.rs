use core::fmt;

/// One thing that a stream has to do, or had better do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name, which never changes.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// Where it is written: a section of draft-pantos-hls-rfc8216bis-22, or of Apple's authoring specification.
    pub section: Section,
    /// What has to hold, in one sentence.
    pub text: &'static str,
    /// What to do where it does not.
    pub advice: &'static str,
}

/// How much a rule matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// A MUST of the draft.
    Must,
    /// A MUST of Apple's authoring specification.
    AppleMust,
    /// A SHOULD of the draft.
    Should,
    /// A SHOULD of Apple's authoring specification.
    AppleShould,
    /// No text asks for it, but players were seen to break.
    Players,
    /// Worth knowing; never a reason to fail.
    Note,
}

/// What a finding counts as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The stream is wrong.
    Error,
    /// The stream could be better.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    /// What breaking a rule of this level counts as.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Must | Self::AppleMust => Severity::Error,
            Self::Should | Self::AppleShould | Self::Players => Severity::Warning,
            Self::Note => Severity::Note,
        }
    }

    /// The word for tables and files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::AppleMust => "apple must",
            Self::Should => "should",
            Self::AppleShould => "apple should",
            Self::Players => "players",
            Self::Note => "note",
        }
    }
}

impl Severity {
    /// The word for tables and files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Where a rule is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// draft-pantos-hls-rfc8216bis-22.
    Draft(&'static str),
    /// HLS Authoring Specification for Apple Devices.
    Apple(&'static str),
    /// Nowhere: seen in the field.
    Field,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft(section) => f.pad(section),
            Self::Apple(section) => {
                let text = alloc::format!("Apple {section}");
                f.pad(&text)
            }
            Self::Field => f.pad("field"),
        }
    }
}

/// The rule of this name.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    crate::rules::ALL.iter().copied().find(|rule| rule.id == id)
}
