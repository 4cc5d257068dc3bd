//! How a person likes the pages: light or dark, with or without single-key shortcuts.

use crate::words;

words! {
    /// The colours of the pages.
    pub enum Appearance {
        System = "system" => "As the device says",
        Light = "light" => "Light",
        Dark = "dark" => "Dark",
    }
}

/// What a person chose under My account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    /// Colours.
    pub appearance: Appearance,
    /// Whether single keys do something (WCAG 2.1.4 wants them to be switched off where they are in the way).
    pub has_shortcuts: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            appearance: Appearance::System,
            has_shortcuts: true,
        }
    }
}
