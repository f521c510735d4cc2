"""Trains the predictor: features, choice by held-out groups, calibration, export, proof, model card."""
