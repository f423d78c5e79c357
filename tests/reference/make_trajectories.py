"""Simulate the panels of trajectories.R and find their maxima without the package; run in this folder.

The panels are unbalanced and some responses are missing. A maximum is the best that BFGS reaches from the true
parameters and from many partitions of the units, polished by Newton with a Hessian by complex steps: gradient below
1e-9, errors exact. Everything is row by row and from the definition.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, special

CURVES = {
    "normal": [[1.0, 0.4, 0.0], [4.0, -0.8, 0.1], [6.0, 0.5, -0.1]],
    "poisson": [[0.1, 0.2, -0.03], [1.5, -0.3, 0.02], [1.8, 0.1, 0.0]],
    "logit": [[-1.8, 0.1, 0.0], [0.2, 0.9, -0.08]],
}


@dataclass(frozen=True)
class Case:
    """A panel to simulate: `gamma` holds log-odds against the first group of a constant, male and ses."""

    family: str
    curves: list
    units: int = 160
    shares: list | None = None
    gamma: list | None = None
    exposed: bool = False
    weighted: bool = False
    times: tuple = (4, 8)
    starts: int = 100


CASES = {
    "normal": Case("normal", CURVES["normal"], shares=[0.5, 0.3, 0.2]),
    "poisson": Case("poisson", CURVES["poisson"], shares=[0.5, 0.3, 0.2]),
    "logit": Case("logit", CURVES["logit"], shares=[0.6, 0.4]),
    "membership": Case("normal", [[1.0, 0.4], [2.4, 0.1]], gamma=[[-0.4, 0.9, -0.7]], units=220),
    "weights": Case("poisson", CURVES["poisson"], shares=[0.5, 0.3, 0.2], weighted=True),
    "exposure": Case("poisson", [[-1.0, 0.2], [0.4, -0.1]], shares=[0.6, 0.4], exposed=True),
    # Hard: one unit in 33 is apart; five groups that lie within a standard deviation of one another.
    "rare": Case("normal", [[1.0, 0.2], [2.0, -0.1], [3.2, -0.5]], shares=[0.62, 0.35, 0.03], units=600),
    "overlapping": Case(
        "normal",
        [[0.0, 0.0], [0.8, 0.15], [1.6, -0.15], [2.4, 0.1], [3.2, -0.1]],
        shares=[0.3, 0.25, 0.2, 0.15, 0.1],
        units=500,
        starts=400,
    ),
}


def first_panels() -> None:
    for seed, (name, curves) in enumerate(CURVES.items()):
        draw = np.random.default_rng(seed)
        n = 160
        group = draw.choice(len(curves), n, p=[0.5, 0.3, 0.2] if len(curves) == 3 else [0.6, 0.4])
        times = draw.integers(4, 9, n)
        unit = np.repeat(np.arange(n), times)
        t = np.concatenate([np.sort(draw.choice(8, k, replace=False)) for k in times]).astype(float)
        b = np.array(curves)[group[unit]]
        eta = b[:, 0] + b[:, 1] * t + b[:, 2] * t**2
        if name == "normal":
            y = (eta + draw.normal(size=len(t))).round(4)
        elif name == "poisson":
            y = draw.poisson(np.exp(eta)).astype(float)
        else:
            y = (draw.random(len(t)) < 1 / (1 + np.exp(-eta))).astype(float)
        y[draw.random(len(y)) < 0.05] = np.nan
        pd.DataFrame({"id": unit + 1, "t": t.astype(int), "y": y}).to_csv(f"trajectories/{name}.csv", index=False)


def simulated(case: Case, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    n, curves = case.units, np.array(case.curves)
    male, ses = draw.integers(0, 2, n), draw.normal(size=n).round(2)
    if case.gamma is None:
        odds = np.broadcast_to(np.log(case.shares), (n, len(curves)))
    else:
        odds = np.column_stack([np.zeros(n), np.column_stack([np.ones(n), male, ses]) @ np.array(case.gamma).T])
    group = (odds + draw.gumbel(size=odds.shape)).argmax(1)
    times = draw.integers(case.times[0], case.times[1] + 1, n)
    unit = np.repeat(np.arange(n), times)
    t = np.concatenate([np.sort(draw.choice(8, k, replace=False)) for k in times])
    eta = (np.vander(t.astype(float), curves.shape[1], increasing=True) * curves[group[unit]]).sum(1)
    data = pd.DataFrame({"id": unit + 1, "t": t})
    if case.exposed:
        data["e"] = draw.uniform(0.5, 4, len(t)).round(2)
        eta = eta + np.log(data["e"])
    data["y"] = (eta + draw.normal(size=len(t))).round(3) if case.family == "normal" else draw.poisson(np.exp(eta))
    data["y"] = data["y"].astype(float).mask(draw.random(len(t)) < 0.05)
    if case.gamma is not None:
        data["male"], data["ses"] = male[unit], ses[unit]
    if case.weighted:
        data["w"] = draw.integers(1, 5, n)[unit]
    if case.family == "poisson":
        data["y"] = data["y"].astype("Int64")
    return data


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood and gradient in (beta group by group, log sigma, gamma), for real or complex parameters."""

    family: str
    k: int
    x: np.ndarray
    y: np.ndarray
    offset: np.ndarray
    unit: np.ndarray
    weights: np.ndarray
    z: np.ndarray
    constant: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constant", -self.weights[self.unit] @ special.gammaln(self.y.clip(0) + 1))

    @staticmethod
    def of(case: Case, data: pd.DataFrame) -> "Likelihood":
        rows = data.dropna(subset="y").reset_index(drop=True)
        unit, labels = pd.factorize(rows["id"])
        first = rows.groupby("id", sort=False).head(1)
        z = first.assign(one=1.0)[["one", "male", "ses"] if case.gamma else ["one"]].to_numpy(float)
        return Likelihood(
            case.family,
            len(case.curves),
            np.vander(rows["t"].to_numpy(float), len(case.curves[0]), increasing=True),
            rows["y"].to_numpy(float),
            np.log(rows["e"].to_numpy(float)) if case.exposed else np.zeros(len(rows)),
            unit,
            first["w"].to_numpy(float) if case.weighted else np.ones(len(labels)),
            z,
        )

    def split(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """beta (K, p), log sigma (1,) or (0,), gamma (K, m) with zeros for the first group."""
        beta, rest = np.split(params, [self.k * self.x.shape[1]])
        log_sigma, gamma = np.split(rest, [int(self.family == "normal")])
        first = np.zeros((1, self.z.shape[1]))
        return beta.reshape(self.k, -1), log_sigma, np.vstack([first, gamma.reshape(self.k - 1, -1)])

    def by_unit(self, rows: np.ndarray) -> np.ndarray:
        found = np.zeros((len(self.weights), rows.shape[1]), dtype=rows.dtype)
        np.add.at(found, self.unit, rows)
        return found

    def both(self, params: np.ndarray) -> tuple:
        """Log-likelihood and gradient."""
        beta, log_sigma, gamma = self.split(params)
        eta = self.x @ beta.T + self.offset[:, None]
        if self.family == "normal":
            residual, precision = self.y[:, None] - eta, np.exp(-2 * log_sigma[0])
            density = -0.5 * np.log(2 * np.pi) - log_sigma[0] - residual**2 * precision / 2
            slope = residual * precision
        elif self.family == "poisson":
            density = self.y[:, None] * eta - np.exp(eta)
            slope = self.y[:, None] - np.exp(eta)
        else:
            density = self.y[:, None] * eta - np.log(1 + np.exp(eta))
            slope = self.y[:, None] - 1 / (1 + np.exp(-eta))
        odds = self.z @ gamma.T
        odds = odds - odds.real.max(1, keepdims=True)
        share = np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
        joint = self.by_unit(density) + np.log(share)
        top = joint.real.max(1)
        likelihood = np.exp(joint - top[:, None])
        value = self.weights @ (top + np.log(likelihood.sum(1)))
        posterior = likelihood / likelihood.sum(1, keepdims=True) * self.weights[:, None]
        rows = posterior[self.unit]
        parts = [((rows * slope).T @ self.x).ravel()]
        if self.family == "normal":
            parts.append(np.array([(rows * (residual**2 * precision - 1)).sum()]))
        else:
            value = value + self.constant
        parts.append(((posterior - share * self.weights[:, None]).T @ self.z)[1:].ravel())
        return value, np.concatenate(parts)

    def hessian(self, params: np.ndarray) -> np.ndarray:
        """Exact to rounding: derivatives of the gradient by complex steps."""
        steps = params + 1e-30j * np.eye(len(params))
        return np.stack([self.both(at)[1].imag / 1e-30 for at in steps])

    def climbed(self, start: np.ndarray) -> tuple[float, np.ndarray]:
        def negative(params: np.ndarray) -> tuple:
            value, gradient = self.both(params)
            return -value, -gradient

        with np.errstate(all="ignore"):
            found = optimize.minimize(negative, start, jac=True, method="BFGS", options={"gtol": 1e-3})
        return (-found.fun if np.isfinite(found.fun) else -np.inf), found.x

    def polished(self, params: np.ndarray) -> np.ndarray:
        """Newton's method, whose steps are whole this near to the maximum."""
        for _ in range(10):
            params = params - np.linalg.solve(self.hessian(params), self.both(params)[1])
        return params

    def start(self, draw: np.random.Generator) -> np.ndarray:
        """Regressions of the units that lie nearest to each of K random ones in their mean and slope."""
        stable = {"normal": self.y, "poisson": np.log(self.y.clip(0) + 0.5) - self.offset, "logit": 4 * self.y - 2}
        y = stable[self.family]
        count = np.bincount(self.unit)
        mean, t = np.bincount(self.unit, y) / count, self.x[:, 1]
        slope = np.bincount(self.unit, (y - mean[self.unit]) * (t - t.mean())) / count
        features = np.column_stack([mean / mean.std(), slope / slope.std()]) * draw.uniform(0.2, 1, 2)
        centres = features[draw.choice(len(features), self.k, replace=False)]
        nearest = ((features[:, None] - centres) ** 2).sum(-1).argmin(1)
        ridge = 1e-2 * np.eye(self.x.shape[1])
        beta, rss = [], 0.0
        for g in range(self.k):
            rows = nearest[self.unit] == g
            beta.append(np.linalg.solve(self.x[rows].T @ self.x[rows] + ridge, self.x[rows].T @ y[rows]))
            rss += ((y[rows] - self.x[rows] @ beta[-1]) ** 2).sum()
        sigma = [0.5 * np.log(rss / len(y))] if self.family == "normal" else []
        return np.concatenate([*beta, sigma, np.zeros((self.k - 1) * self.z.shape[1])])


def true_start(case: Case, likelihood: Likelihood) -> np.ndarray:
    odds = np.log(np.array(case.shares) / case.shares[0])[1:] if case.gamma is None else np.ravel(case.gamma)
    return np.concatenate([np.ravel(case.curves), [0.0] if likelihood.family == "normal" else [], odds])


def ordered(likelihood: Likelihood, params: np.ndarray) -> np.ndarray:
    """Groups by their share, the largest first, which is what membership is measured against."""
    beta, log_sigma, gamma = likelihood.split(params)
    share = likelihood.weights @ special.softmax(likelihood.z @ gamma.T, axis=1)
    order = np.argsort(-share)
    return np.concatenate([beta[order].ravel(), log_sigma, (gamma[order] - gamma[order[0]])[1:].ravel()])


def optimum(case: Case, data: pd.DataFrame, seed: int) -> dict:
    likelihood, draw = Likelihood.of(case, data), np.random.default_rng(seed)
    truth = likelihood.climbed(true_start(case, likelihood))
    others = [likelihood.climbed(likelihood.start(draw)) for _ in range(case.starts)]
    best = likelihood.polished(max([truth, *others], key=lambda found: found[0])[1])
    params = likelihood.polished(ordered(likelihood, best))
    value, gradient = likelihood.both(params)
    hessian = likelihood.hessian(params)
    assert np.abs(gradient).max() < 1e-8, gradient
    assert np.linalg.eigvalsh(hessian).max() < 0
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    at = likelihood.k * likelihood.x.shape[1]
    if case.family == "normal":
        # From log sigma to sigma: the gradient is zero, so that the errors follow by the chain rule.
        params[at] = np.exp(params[at])
        errors[at] *= params[at]
    reached = sum(value - found[0] < 1e-4 for found in others)
    gamma = likelihood.split(params)[2]
    shares = likelihood.weights @ special.softmax(likelihood.z @ gamma.T, axis=1) / likelihood.weights.sum()
    return {
        "loglik": value,
        "params": params.tolist(),
        "errors": errors.tolist(),
        "shares": shares.tolist(),
        "from_truth": truth[0],
        "starts": case.starts,
        "reached": int(reached),
    }


def main() -> None:
    first_panels()
    found = {}
    for seed, (name, case) in enumerate(CASES.items(), 10 - len(CURVES)):
        if name not in CURVES:
            simulated(case, seed).to_csv(f"trajectories/{name}.csv", index=False)
        found[name] = optimum(case, pd.read_csv(f"trajectories/{name}.csv"), seed)
        print(name, *(f"{key} {found[name][key]}" for key in ("loglik", "from_truth", "starts", "reached")))
    with open("trajectories/optima.json", "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
