"""A person at a browser, who does with mouse and keyboard what the scripted expert would do."""

import gymnasium as gym
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from agents.kinds import player
from agents.view import View
from agents.web.expert import Expert
from envs.web.actions import decode

KEYS = {
    "Enter": Keys.ENTER,
    "Tab": Keys.TAB,
    "Escape": Keys.ESCAPE,
    "ArrowUp": Keys.ARROW_UP,
    "ArrowDown": Keys.ARROW_DOWN,
}


class Person:
    """Does what the expert would do, with the mouse and the keyboard of a browser."""

    def __init__(self, driver, env_id, seed):
        self.driver = driver
        self.env = gym.make(f"envs:{env_id}", backend="twin").unwrapped
        _, self.info = self.env.reset(seed=seed)
        self.expert = player(Expert(View.of(self.env)), self.env)

    def hands(self):
        return ActionChains(self.driver, duration=20)

    def play(self, steps=None):
        """Plays to the end, or some steps."""
        self.driver.switch_to.frame(self.driver.find_element(By.ID, "site"))
        ended = False
        while not ended and steps != 0:
            number = self.expert.act(None, {})
            self.act(decode(int(number)))
            *_, terminated, truncated, _ = self.env.step(number)
            ended = terminated or truncated
            steps = None if steps is None else steps - 1

    def wait(self):
        """Waits, as a person does, until the page that the last act leads to is there."""
        expected = (self.env.snapshot.path, self.env.snapshot.title)

        def there(driver):
            seen = driver.execute_script("return window.gymworks?.snapshot() ?? {}")
            return "leaving" not in seen and (seen.get("path"), seen.get("title")) == expected

        waiting = WebDriverWait(self.driver, 10, 0.02, ignored_exceptions=[WebDriverException])
        waiting.until(there)

    def act(self, action):
        self.wait()
        if action.verb == "press":
            return self.hands().send_keys(KEYS[action.key]).perform()
        element = self.driver.find_element(By.CSS_SELECTOR, f'[data-ref="{action.ref}"]')
        there = self.hands().move_to_element(element)
        if action.verb == "grab":
            return there.click_and_hold().perform()
        if action.verb == "drop":
            return there.release().perform()
        there.click()
        if action.verb == "type":
            self._type(there, element, self.env.session.encoder.texts[action.field])
        return there.perform()

    def _type(self, there, element, text):
        row = self.env.snapshot.rows[int(element.get_attribute("data-ref"))]
        if row.tag == "select":
            steps = row.options.index(text) - row.options.index(row.value)
            there.send_keys((Keys.ARROW_DOWN if steps > 0 else Keys.ARROW_UP) * abs(steps))
        else:
            there.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(text)
